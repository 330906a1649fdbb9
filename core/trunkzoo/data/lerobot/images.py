"""The images of a dataset, file by file or row by row."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trunkzoo.data.lerobot.reader import EpisodeSpan, LeRobotReader, open_parquet
from trunkzoo.data.lerobot.video import MAX_PIXELS, Frame, match_frames
from trunkzoo.errors import DataError, ZooError, one_line

Rows = NDArray[np.int64]
FORMATS = ("PNG", "JPEG", "WEBP")
"""What an image in a parquet file may be."""


BLOCK_ROWS = 4096
"""Images of one block at least: opening a file costs time for each of its row groups, and lerobot writes one per episode."""


class RowGroup(NamedTuple):
    """Rows ``start`` to ``stop`` of the dataset, in one piece of a parquet file."""

    number: int
    start: int
    stop: int


class Block(NamedTuple):
    """Images of one camera that lie together in one file."""

    path: Path
    rows: Rows
    """Rows of the dataset (n,)."""
    read: Callable[[Rows], Iterator[tuple[int, Frame]]]
    """``read(rows)`` yields (row, RGB image) for some of ``rows``; DataError where one is missing or damaged."""


def image_blocks(reader: LeRobotReader, key: str) -> list[Block]:
    """All images of one camera, in blocks that can be read in parallel."""
    return _video_blocks(reader, key) if reader.info.features[key].dtype == "video" else _png_blocks(reader, key)


def frames_at(reader: LeRobotReader, key: str, rows: Sequence[int]) -> list[Frame]:
    """The images of single rows, read from the files without any cache; DataError where one is missing."""
    found: dict[int, Frame] = {}
    for block in image_blocks(reader, key):
        wanted = np.intersect1d(block.rows, np.asarray(rows))
        if len(wanted):
            found |= dict(block.read(wanted))
    missing = [row for row in rows if row not in found]
    if missing:
        raise DataError(f"{reader.directory}: no image {key} of row {missing[0]}; `zoo data check` says where")
    return [found[row] for row in rows]


def _png_blocks(reader: LeRobotReader, key: str) -> list[Block]:
    blocks, start = [], 0
    for path in reader.data_files:
        groups = list[RowGroup]()
        with open_parquet(path) as file:
            for number in range(file.num_row_groups):
                stop = start + file.metadata.row_group(number).num_rows
                groups.append(RowGroup(number, start, stop))
                start = stop
                if start - groups[0].start >= BLOCK_ROWS or number == file.num_row_groups - 1:
                    blocks.append(Block(path, np.arange(groups[0].start, start), partial(_read_png, path, key, groups)))
                    groups = []
    return blocks


def _read_png(path: Path, key: str, groups: Sequence[RowGroup], rows: Rows) -> Iterator[tuple[int, Frame]]:
    wanted, row = set(rows.tolist()), groups[0].start
    try:
        with open_parquet(path) as file:
            for group in groups:
                if wanted.isdisjoint(range(group.start, group.stop)):
                    continue
                row = group.start
                for batch in file.iter_batches(batch_size=32, row_groups=[group.number], columns=[key]):
                    for png in batch.column(0).field("bytes"):
                        if row in wanted:
                            yield row, decode_image(png.as_py())
                        row += 1
    except ZooError:
        raise
    except Exception as error:  # whatever pyarrow and Pillow make of damaged or hostile bytes
        raise DataError(
            f"{path}: image {key} of row {row} cannot be read ({one_line(error)}); copy the file again"
        ) from error


def decode_image(data: bytes) -> Frame:
    """RGB pixels (H, W, 3) of an encoded image. No other decoder than these is tried: one of Pillow's runs programs.

    Raises:
        ValueError: it has too many pixels.
        OSError: it is damaged, or none of :data:`FORMATS`.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width} × {height} pixels, {MAX_PIXELS:,} are decoded at most")
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _video_blocks(reader: LeRobotReader, key: str) -> list[Block]:
    within = reader.columns(["timestamp"])["timestamp"].astype(np.float64)  # (N,) seconds since the episode's start
    return [
        _video_block(reader, path, episodes, within, f"videos/{key}/from_timestamp")
        for path, episodes in reader.video_files(key).items()
    ]


def _video_block(
    reader: LeRobotReader, path: Path, episodes: list[EpisodeSpan], within: NDArray[np.float64], start: str
) -> Block:
    rows = np.concatenate([np.arange(ep.start, ep.stop) for ep in episodes])
    seconds = np.concatenate([ep.row[start] + within[ep.start : ep.stop] for ep in episodes])
    order = np.argsort(seconds, kind="stable")
    close = np.flatnonzero(np.diff(seconds[order]) < 0.5 / reader.info.fps)
    if len(close):  # both would get the same frame
        first, second = rows[order[close[0]]], rows[order[close[0] + 1]]
        raise DataError(
            f"{path}: rows {first} and {second} are both at {seconds[order[close[0]]]:.4f} s; every row needs a frame "
            "of its own, so the time stamps were changed after recording"
        )
    return Block(path, rows, partial(_read_video, path, rows[order], seconds[order], reader.info.fps))


def _read_video(
    path: Path, rows: Rows, seconds: NDArray[np.float64], fps: float, wanted: Rows
) -> Iterator[tuple[int, Frame]]:
    chosen = np.isin(rows, wanted)
    for position, image in match_frames(path, seconds[chosen], fps):
        yield int(rows[chosen][position]), image
