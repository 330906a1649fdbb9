"""Gathering training windows from the cache ÷ decoding the same windows from their mp4, and what building it costs.

python benchmarks/data_cache.py        # about ten CPU-seconds
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from trunkzoo.bench.clock import elapsed, in_turns
from trunkzoo.data import open_dataset
from trunkzoo.data.lerobot.images import image_blocks
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.lerobot.video import match_frames
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.data.windows import WindowDataset
from trunkzoo.plugin.contract import Contract

CAMERAS = ("agentview", "robot0_eye_in_hand", "robot1_eye_in_hand")
CONTRACT = Contract(cameras=CAMERAS, image_size=(96, 96), state_dim=16, action_dim=16, cond_dim=208)
BATCH = 64
EPISODES = [75] * 8
REPEATS = 20
CPU = torch.device("cpu")


class OpenVideo:
    """One mp4 kept open, read by seeking to the keyframe before a time: the fastest way that needs no cache."""

    def __init__(self, path: Path) -> None:
        self._container = av.open(str(path))
        self._stream: Any = self._container.streams.video[0]

    def frames(self, first: float, count: int, fps: float) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        """``count`` consecutive RGB images (H, W, 3) from the time ``first`` on."""
        self._container.seek(int((first + 0.25 / fps) / self._stream.time_base), stream=self._stream)
        found = []
        for frame in self._container.decode(self._stream):
            if float(frame.pts * self._stream.time_base) > first - 0.25 / fps:
                found.append(frame.to_ndarray(format="rgb24"))
                if len(found) == count:
                    break
        return found


def decoders(data: Path) -> tuple[Callable[[torch.Tensor], None], Callable[[torch.Tensor], None]]:
    """Two functions that decode the images of windows: with files kept open, and opening them for each window."""
    reader = LeRobotReader(data)
    paths = [path for key in reader.info.cameras for path in reader.video_files(key)]
    assert len(paths) == len(CAMERAS), "one file per camera, so that rows are frames"
    files, fps, horizon = [OpenVideo(path) for path in paths], reader.info.fps, CONTRACT.obs_horizon
    starts = np.repeat([ep.start for ep in reader.episodes], [len(ep) for ep in reader.episodes])

    def first_row(row: int) -> int:
        return max(int(starts[row]), row - horizon + 1)

    def kept_open(indices: torch.Tensor) -> None:
        for row in indices.tolist():
            for file in files:
                file.frames(first_row(row) / fps, row - first_row(row) + 1, fps)

    def opened(indices: torch.Tensor) -> None:
        for row in indices.tolist():
            for path in paths:
                list(match_frames(path, np.arange(first_row(row), row + 1) / fps, fps))

    return kept_open, opened


def check_same(windows: WindowDataset, data: Path) -> None:
    """The cache holds what the video holds, or the ratio means nothing."""
    reader = LeRobotReader(data)
    for key in reader.info.cameras:
        (part,) = image_blocks(reader, key)
        rows = np.array([7, 80, 300])
        gathered = windows.gather(torch.from_numpy(rows))[key][:, -1].permute(0, 2, 3, 1).numpy()
        assert all(np.array_equal(gathered[i], image) for i, (_, image) in enumerate(part.read(rows)))


def gather_often(windows: WindowDataset, indices: torch.Tensor) -> None:
    """As in training: a batch is released before the one after the next is made."""
    for _ in range(REPEATS):
        windows.gather(indices)


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        os.environ["TRUNKZOO_CACHE"] = str(Path(name) / "cache")
        write_synthetic(data, CONTRACT, EPISODES, video=True)
        wall = time.perf_counter()
        build = elapsed(lambda: open_dataset(data, CONTRACT), CPU)
        wall = time.perf_counter() - wall
        reopen = elapsed(lambda: open_dataset(data, CONTRACT), CPU)
        windows = open_dataset(data, CONTRACT)
        check_same(windows, data)
        kept_open, opened = decoders(data)
        indices = torch.randint(len(windows), (BATCH,), generator=generator)
        few = indices[: BATCH // 8]
        times = in_turns(
            {
                "gather": lambda: gather_often(windows, indices),
                "kept open": lambda: kept_open(few),
                "opened": lambda: opened(few),
            },
            CPU,
            rounds=5,
        )
        frames = len(windows) * len(CAMERAS)
        per_batch = times["gather"] / REPEATS
        print(
            f"building the cache: {build:.2f} CPU-s, {wall:.2f} s, for {frames} frames; opening it again {reopen:.3f} s"
        )
        print(f"gather a batch of {BATCH} ({len(CAMERAS)} cameras, 96 px, 2 observations): {1e3 * per_batch:.2f} ms")
        for decoder, text in (("kept open", "decoder kept open"), ("opened", "file opened per window")):
            ratio = 8 * times[decoder] / per_batch
            print(f"frames/s from the cache ÷ from mp4, {text:23} {ratio:7.0f}   must be ≥ 50")


if __name__ == "__main__":
    main()
