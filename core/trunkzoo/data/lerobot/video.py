"""Episodes as mp4: written so that every frame can be reached by its index, read back exactly by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.errors import DataError, one_line

CODEC = "libx264"
MAX_PIXELS = 1 << 26  # of one image: 8192 × 8192
QUALITY = 18  # constant rate factor: visually lossless for H.264
Frame = NDArray[np.uint8]  # (H, W, 3) RGB


class VideoWriter:
    """One H.264 file; frame ``i`` is shown at ``i / fps`` seconds."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, keyframe_interval: int) -> None:
        """``size``: (height, width), even numbers. No B-frames, so decoding order is the frames' order."""
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        self.frames, self.size = 0, 0  # size: bytes written so far; the encoder holds a few frames back
        self._container = av.open(str(path), "w")
        stream: Any = self._container.add_stream(CODEC, rate=Fraction(fps).limit_denominator(100_000))
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "g": str(keyframe_interval), "bf": "0", "sc_threshold": "0", "crf": str(QUALITY), "preset": "veryfast"
        }  # fmt: skip
        self._stream = stream

    def write(self, frames: Sequence[Frame] | Frame) -> None:
        """Append ``frames`` (T, H, W, 3)."""
        import av

        for image in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts = self.frames
            self._mux(self._stream.encode(frame))
            self.frames += 1

    def close(self) -> dict[str, Any]:
        """Finish the file; returns what ``info.json`` says about its coding."""
        self._mux(self._stream.encode(None))
        self._container.close()
        return {
            "video.height": self._stream.height,
            "video.width": self._stream.width,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": float(self._stream.base_rate or 0),
            "video.channels": 3,
            "has_audio": False,
        }

    def _mux(self, packets: Sequence[Any]) -> None:
        self.size += sum(packet.size for packet in packets)
        self._container.mux(packets)


def decode(path: Path, start: float = 0.0) -> Iterator[tuple[float, Frame]]:
    """All frames from the last keyframe at or before ``start`` on, as (seconds, RGB).

    Raises:
        DataError: the file is missing or damaged.
    """
    import av

    if not path.is_file():
        raise DataError(f"video {path} is missing; `zoo data check` lists what else is")
    try:
        # No probing: a playlist under this name would make FFmpeg open other files and addresses.
        with av.open(str(path.resolve()), format="mp4", options={"protocol_whitelist": "file"}) as container:
            stream: Any = container.streams.video[0]
            if stream.width * stream.height > MAX_PIXELS:
                raise ValueError(f"{stream.width} × {stream.height} pixels, {MAX_PIXELS:,} are decoded at most")
            stream.thread_type = "AUTO"
            if start > 0:
                container.seek(int(start / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                yield float(frame.pts * stream.time_base), frame.to_ndarray(format="rgb24")
    except Exception as error:  # whatever FFmpeg makes of damaged bytes
        raise DataError(
            f"video {path} cannot be decoded ({one_line(error)}); it is cut off or damaged, copy it again"
        ) from error


def match_frames(path: Path, wanted: NDArray[np.float64], fps: float) -> Iterator[tuple[int, Frame]]:
    """Yield (position in ``wanted``, frame) for ascending times ``wanted`` (n,) in seconds.

    A frame belongs to a time when it is nearer than a quarter of a frame's duration; encoders round their
    time stamps, but never by that much.

    Raises:
        DataError: a wanted time has no frame.
    """
    tolerance, position = 0.25 / fps, 0
    if len(wanted) == 0:
        return
    for seconds, image in decode(path, max(0.0, float(wanted[0]) - tolerance)):
        while position < len(wanted) and abs(seconds - wanted[position]) < tolerance:
            yield position, image
            position += 1
        if position == len(wanted):
            return
        if seconds > wanted[position] + tolerance:  # times ascend: the frame will not come any more
            break
    raise DataError(
        f"video {path} has no frame at {wanted[position]:.4f} s ({len(wanted)} frames wanted, {position} found); "
        "it is cut off, or its rows were changed after recording"
    )
