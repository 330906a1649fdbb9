"""Films in a page: each with its last frame as poster, and a sheet of frames for paper and for a quick look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from PIL import Image

from trunkzoo.report.page import Figure, data_uri
from trunkzoo.report.pictures import sheet, webp

MOMENTS = ("start", "1/4", "1/2", "3/4", "end")
WIDTH = 300  # of one frame of the sheet, pixels


def film_figures(films: Sequence[tuple[str, Path]]) -> Iterator[Figure]:
    """Every film by its name, then frames of all; nothing for no films."""
    rows: dict[str, list[Image.Image]] = {}
    for name, path in films:
        frames = _frames(path)
        rows[name] = [_small(frames[round(i * (len(frames) - 1) / (len(MOMENTS) - 1))]) for i in range(len(MOMENTS))]
        caption = f"{name}: all cameras, below them the reward, green from success on; ticks are new chunks."
        video = data_uri("video/mp4", path.read_bytes())
        yield Figure(caption, video=video, poster=webp(frames[-1]))
    if rows:
        frames_sheet = sheet(list(rows), MOMENTS, list(rows.values()))
        yield Figure("Frames from start to end of the same episodes.", image=webp(frames_sheet), shape="wide")


def _frames(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def _small(frame: Image.Image) -> Image.Image:
    return frame.resize((WIDTH, round(frame.height * WIDTH / frame.width)), Image.Resampling.LANCZOS)
