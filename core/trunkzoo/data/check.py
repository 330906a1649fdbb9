"""Check a LeRobot v3 dataset for damage. Every check runs and lists all that it finds: one pass shows every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.data.lerobot.images import Block, image_blocks
from trunkzoo.data.lerobot.layout import STATS_PATH
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.lerobot.video import decode
from trunkzoo.data.reading import reading
from trunkzoo.errors import DataError
from trunkzoo.plain import parse_table
from trunkzoo.system.files import regular
from trunkzoo.system.progress import progress


@dataclass(frozen=True)
class DatasetCheck:
    """One check of a dataset and the faults that it found, none if all is well."""

    name: str
    faults: tuple[str, ...]


def check_dataset(directory: Path) -> list[DatasetCheck]:
    """Run every check on a LeRobot v3 dataset; if its metadata cannot be read, that is the only one."""
    try:
        reader = LeRobotReader(directory)
    except DataError as error:
        return [DatasetCheck("metadata", (str(error),))]
    questions: dict[str, Callable[[LeRobotReader], Iterator[str]]] = {
        "metadata": _metadata,
        "files present": _files,
        "rows and indices": _indices,
        "timestamps": _timestamps,
        "shapes and finite numbers": _numbers,
        "statistics": _statistics,
        "images": _images,
        "video frames = rows": _videos,
    }
    return [DatasetCheck(name, tuple(_ask(question, reader))) for name, question in questions.items()]


def _ask(question: Callable[[LeRobotReader], Iterator[str]], reader: LeRobotReader) -> Iterator[str]:
    try:
        with reading(reader.directory):
            yield from question(reader)
    except DataError as error:
        yield str(error)


def _metadata(reader: LeRobotReader) -> Iterator[str]:
    info = reader.info
    if info.total_episodes != len(reader.episodes):
        yield f"info.json counts {info.total_episodes} episodes, meta/episodes {len(reader.episodes)}"
    if info.total_frames != len(reader):
        yield f"info.json counts {info.total_frames} frames, meta/episodes {len(reader)}"


def _files(reader: LeRobotReader) -> Iterator[str]:
    videos = [path for key in _keys(reader, "video") for path in reader.video_files(key)]
    for path in (*reader.data_files, *videos):
        if not path.is_file():
            yield f"{path} is missing"


def _indices(reader: LeRobotReader) -> Iterator[str]:
    columns = reader.columns(["index", "frame_index", "task_index"])
    if not np.array_equal(columns["index"], np.arange(len(reader))):
        yield "column index does not count the rows"
    for ep in reader.episodes:
        if not np.array_equal(columns["frame_index"][ep.start : ep.stop], np.arange(len(ep))):
            yield f"episode {ep.index}: frame_index does not count from 0"
    unknown = set(np.unique(columns["task_index"]).tolist()) - set(range(len(reader.tasks)))
    if unknown:
        yield f"task_index {sorted(unknown)} has no task in meta/tasks.parquet"


def _timestamps(reader: LeRobotReader) -> Iterator[str]:
    seconds = reader.columns(["timestamp"])["timestamp"].astype(np.float64)
    for ep in reader.episodes:
        gap = np.abs(seconds[ep.start : ep.stop] - np.arange(len(ep)) / reader.info.fps)
        worst = int(np.argmax(gap))
        if gap[worst] > 0.25 / reader.info.fps or not np.isfinite(gap).all():
            told = seconds[ep.start + worst]
            yield f"episode {ep.index}: frame {worst} is at {told:.4f} s, expected {worst / reader.info.fps:.4f} s"


def _numbers(reader: LeRobotReader) -> Iterator[str]:
    for key, feature in reader.info.features.items():
        if not feature.is_numeric:
            continue
        try:
            yield from _not_finite(reader, key, reader.columns([key])[key])
        except DataError as error:
            yield str(error)


def _not_finite(reader: LeRobotReader, key: str, values: NDArray[Any]) -> Iterator[str]:
    bad = ~np.isfinite(values.reshape(len(values), -1).astype(np.float64)).all(axis=1)  # (N,)
    for ep in reader.episodes:
        rows = np.flatnonzero(bad[ep.start : ep.stop])
        if len(rows):
            yield f"episode {ep.index}: {key} is not finite in {len(rows)} frames, first in frame {rows[0]}"


def _statistics(reader: LeRobotReader) -> Iterator[str]:
    path = reader.directory / STATS_PATH
    try:
        stats = parse_table(regular(path).read_bytes())
    except (OSError, ValueError) as error:
        yield f"{path} cannot be read ({error}); lerobot needs it, trunkzoo computes its own"
        return
    for key, feature in reader.info.features.items():
        size = _stated_dimensions(stats, key)
        if feature.is_numeric and size != prod(feature.shape):
            yield f"{STATS_PATH}: {key} has statistics of {size} dimensions, the feature has {prod(feature.shape)}"


def _stated_dimensions(stats: Any, key: str) -> int:
    try:
        return np.asarray(stats[key]["min"], dtype=np.float64).size
    except (LookupError, TypeError, ValueError):  # absent, or no table of numbers
        return 0


def _images(reader: LeRobotReader) -> Iterator[str]:
    for key in _keys(reader, "image"):
        with progress(f"checking {key}", len(reader)) as advance:
            for block in image_blocks(reader, key):
                yield from _sizes(reader, key, block, advance)


def _videos(reader: LeRobotReader) -> Iterator[str]:
    for key in _keys(reader, "video"):
        with progress(f"checking {key}", len(reader)) as advance:
            for block in image_blocks(reader, key):
                try:
                    yield from _sizes(reader, key, block, advance)
                    frames = sum(1 for _ in decode(block.path))
                    if frames != len(block.rows):
                        yield f"{block.path} has {frames} frames for {len(block.rows)} rows"
                except DataError as error:
                    yield str(error)


def _sizes(reader: LeRobotReader, key: str, block: Block, advance: Callable[[int], None]) -> Iterator[str]:
    """Decode a whole part; an image of another size than info.json says is a fault, told once per file."""
    expected = reader.info.features[key].image_size
    for row, image in block.read(block.rows):
        advance(1)
        if image.shape[:2] != tuple(expected):
            yield f"{block.path}: {key} of row {row} is {image.shape[:2]} pixels, info.json says {tuple(expected)}"
            return


def _keys(reader: LeRobotReader, dtype: str) -> list[str]:
    return [key for key in reader.info.cameras if reader.info.features[key].dtype == dtype]
