"""Write a LeRobot v3.0 dataset that lerobot itself opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trunkzoo.data.lerobot import tables
from trunkzoo.data.lerobot.files import DataFiles, VideoFiles
from trunkzoo.data.lerobot.layout import (
    BOOKKEEPING,
    CODEBASE_VERSION,
    DATA_FILE_MB,
    DATA_PATH,
    EPISODES_PATH,
    FILES_PER_CHUNK,
    INFO_PATH,
    ORIGIN_PATH,
    STATS_PATH,
    TASKS_PATH,
    VIDEO_FILE_MB,
    VIDEO_PATH,
    Feature,
)
from trunkzoo.data.lerobot.stats import Stats, image_statistics, merge, statistics
from trunkzoo.errors import DataError
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY, TaskContract
from trunkzoo.system.files import new_directory

Arrays = Mapping[str, NDArray[Any]]


def task_features(contract: TaskContract, video: bool = False) -> dict[str, Feature]:
    """The features of a task's demonstrations: its cameras, ``observation.state`` and ``action``."""
    image = Feature("video" if video else "image", (*contract.image_size, 3), ["height", "width", "channels"])
    return {
        **dict.fromkeys(contract.image_keys, image),
        STATE_KEY: _vector("state", contract.state_dim),
        ACTION_KEY: _vector("action", contract.action_dim),
    }


def _vector(name: str, width: int) -> Feature:
    return Feature("float32", (width,), [f"{name}_{i}" for i in range(width)])


class LeRobotWriter:
    """Writes episodes to a hidden sibling of ``directory``, which appears under its name when the block ends well.

    Image features become PNG inside the parquet files, video features mp4 files (lossy) with one keyframe every
    ``keyframe_interval`` frames. ``origin`` is free JSON about how the data was made (``meta/trunkzoo.json``).
    """

    def __init__(
        self,
        directory: str | Path,
        features: Mapping[str, Feature],
        fps: float,
        *,
        robot_type: str | None = None,
        origin: Mapping[str, Any] | None = None,
        keyframe_interval: int = 2,
        data_file_mb: float = DATA_FILE_MB,
        video_file_mb: float = VIDEO_FILE_MB,
    ) -> None:
        _check_features(features)
        self.directory, self.fps, self.robot_type = Path(directory), fps, robot_type
        self.features, self.origin = {**features, **BOOKKEEPING}, origin
        self.frames = 0
        self._data_mb, self._video_mb = data_file_mb, video_file_mb
        self._keyframe_interval = keyframe_interval
        self._stack = ExitStack()
        self._episodes: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}
        self._numbers: dict[str, list[NDArray[Any]]] = {}
        self._image_stats: dict[str, list[Stats]] = {}

    def __enter__(self) -> Self:
        self._root = self._stack.enter_context(new_directory(self.directory))
        self._data = DataFiles(self._root, tables.data_schema(self.features), self._data_mb)
        self._videos = {
            key: VideoFiles(self._root, key, feature, self.fps, self._keyframe_interval, self._video_mb)
            for key, feature in self.features.items()
            if feature.dtype == "video"
        }
        self._stack.push(self._close)  # before the rename, on success and on failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add_episode(self, frames: Arrays, task: str, extra: Mapping[str, int | float | str] | None = None) -> None:
        """Append one episode.

        ``frames`` maps every feature to its values over time: images (T, H, W, 3) uint8, others (T, *shape).
        ``task`` is the instruction in words. ``extra`` goes into the episode's row of metadata (such as ``seed``)
        and must have the same keys in every episode.

        Raises:
            DataError: a feature is missing or unknown, or its values have another shape, type or are not finite.
        """
        length = _check_frames(frames, self.features, len(self._episodes))
        numbers = self._bookkeep(length, task)
        rows = {**frames, **numbers}
        stats = {key: self._observe(key, values) for key, values in rows.items()}
        places: dict[str, float] = self._data.write(tables.data_table(rows, self.features, self._data.schema))
        for key, files in self._videos.items():
            places |= files.write(frames[key])
        self._episodes.append(
            {
                "episode_index": len(self._episodes),
                "tasks": [task],
                "length": length,
                "dataset_from_index": self.frames,
                "dataset_to_index": self.frames + length,
                **places,
                **{f"stats/{key}/{name}": value for key, row in stats.items() for name, value in row.items()},
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
                **(extra or {}),
            }
        )
        self.frames += length

    def _bookkeep(self, length: int, task: str) -> dict[str, NDArray[Any]]:
        steps = np.arange(length)
        return {
            "timestamp": (steps / self.fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(length, len(self._episodes)),
            "index": steps + self.frames,
            "task_index": np.full(length, self._tasks.setdefault(task, len(self._tasks))),
        }

    def _observe(self, key: str, values: NDArray[Any]) -> Stats:
        """This episode's statistics of one feature; keeps what the whole dataset's will need."""
        if self.features[key].is_image:
            stats = image_statistics(values)
            self._image_stats.setdefault(key, []).append(stats)
            return stats
        self._numbers.setdefault(key, []).append(values)
        return statistics(values)

    def _close(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._data.close()
        coding = {key: files.close() for key, files in self._videos.items()}
        if kind is not None:
            return
        if not self._episodes:
            raise DataError(f"no episode was recorded, so {self.directory} was not written")
        self._write_meta(coding)

    def _write_meta(self, coding: Mapping[str, Any]) -> None:
        stats = {key: statistics(np.concatenate(parts)) for key, parts in self._numbers.items()}
        stats |= {key: merge(parts) for key, parts in self._image_stats.items()}
        tables.write_episodes(self._root / EPISODES_PATH.format(chunk_index=0, file_index=0), self._episodes)
        tables.write_tasks(self._root / TASKS_PATH, list(self._tasks))
        _write_json(self._root / STATS_PATH, stats)
        _write_json(self._root / INFO_PATH, self._info(coding))
        if self.origin is not None:
            _write_json(self._root / ORIGIN_PATH, self.origin)

    def _info(self, coding: Mapping[str, Any]) -> dict[str, Any]:
        features = {key: feature.to_dict() for key, feature in self.features.items()}
        for key, info in coding.items():
            features[key]["info"] = info
        return {
            "codebase_version": CODEBASE_VERSION,
            "robot_type": self.robot_type,
            "total_episodes": len(self._episodes),
            "total_frames": self.frames,
            "total_tasks": len(self._tasks),
            "chunks_size": FILES_PER_CHUNK,
            "data_files_size_in_mb": self._data_mb,
            "video_files_size_in_mb": self._video_mb,
            "fps": int(self.fps) if float(self.fps).is_integer() else self.fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if coding else None,
            "features": features,
        }


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _check_features(features: Mapping[str, Feature]) -> None:
    for key, feature in features.items():
        if "/" in key or key in BOOKKEEPING:
            raise DataError(f"feature name {key!r}: names hold no '/' and none of {', '.join(BOOKKEEPING)}")
        if feature.dtype == "video" and any(side % 2 for side in feature.image_size):
            raise DataError(f"{key} is {feature.image_size} pixels; video needs even sides, images take any")
        if not feature.is_image and len(feature.shape) != 1:
            raise DataError(f"{key} has shape {list(feature.shape)}; only vectors and images are written")
        if 0 in feature.shape:  # pyarrow would end the process
            raise DataError(f"{key} has shape {list(feature.shape)}: nothing to record")


def _check_frames(frames: Arrays, features: Mapping[str, Feature], episode: int) -> int:
    """Length of the episode, once every feature has it."""
    expected = features.keys() - BOOKKEEPING.keys()
    if frames.keys() != expected:
        raise DataError(f"episode {episode} has {sorted(frames)}, the dataset {sorted(expected)}")
    length = len(next(iter(frames.values())))
    if length == 0:
        raise DataError(f"episode {episode} has no frames")
    for key, values in frames.items():
        shape = (length, *features[key].shape)
        if values.shape != shape:
            raise DataError(f"episode {episode}: {key} has shape {values.shape}, expected {shape}")
        if features[key].is_image and values.dtype != np.uint8:
            raise DataError(f"episode {episode}: {key} is {values.dtype}, images are uint8 in 0…255")
        if not features[key].is_image and not np.isfinite(values).all():
            raise DataError(f"episode {episode}: {key} holds a value that is not finite at row {_bad_row(values)}")
    return length


def _bad_row(values: NDArray[Any]) -> int:
    return int(np.argmin(np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
