"""The LeRobot v3.0 dataset on disk: where its files lie and what ``meta/info.json`` says.

Source: lerobot 0.4 to 0.6, ``lerobot/datasets`` (codebase version v3.0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkzoo.errors import DataError, UsageError, one_line
from trunkzoo.plain import parse_table

CODEBASE_VERSION = "v3.0"
INFO_PATH = "meta/info.json"
STATS_PATH = "meta/stats.json"
TASKS_PATH = "meta/tasks.parquet"
ORIGIN_PATH = "meta/trunkzoo.json"
"""Ours: how the dataset was made. lerobot ignores it."""
CHUNK_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
EPISODES_PATH = f"meta/episodes/{CHUNK_FILE}.parquet"
DATA_PATH = f"data/{CHUNK_FILE}.parquet"
VIDEO_PATH = f"videos/{{video_key}}/{CHUNK_FILE}.mp4"
FILES_PER_CHUNK = 1000
DATA_FILE_MB = 100
VIDEO_FILE_MB = 200
IMAGE_DTYPES = ("image", "video")
FASTEST = 10_000
"""Frames per second; beyond it, time stamps of videos and of float32 no longer tell frames apart."""
_WIDEST = 1 << 24  # numbers along one axis of a feature
_MOST = 4096  # features: each is a column to open
_PLACE = re.compile(r"\{(chunk_index|file_index)(:0?\d)?(?:d)?\}|\{video_key\}|[^{}]")


@dataclass(frozen=True)
class Feature:
    """One column of the dataset. Images are (height, width, channels) uint8."""

    dtype: str
    shape: tuple[int, ...]
    names: Any = None

    @property
    def is_image(self) -> bool:
        return self.dtype in IMAGE_DTYPES

    @property
    def is_numeric(self) -> bool:
        return self.dtype.startswith(("float", "int", "uint", "bool"))

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of an image feature; older datasets state channels first, and ``names`` tells."""
        first = str(next(iter(self.names or ()), ""))
        return self.shape[1:3] if first.startswith("channel") else self.shape[0:2]  # type: ignore[return-value]  # three entries by check

    def to_dict(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "shape": list(self.shape), "names": self.names}


BOOKKEEPING: Mapping[str, Feature] = {
    "timestamp": Feature("float32", (1,)),
    "frame_index": Feature("int64", (1,)),
    "episode_index": Feature("int64", (1,)),
    "index": Feature("int64", (1,)),
    "task_index": Feature("int64", (1,)),
}
"""The columns that every LeRobot dataset has beside its own."""


@dataclass(frozen=True)
class Info:
    """What ``meta/info.json`` says."""

    fps: float
    features: Mapping[str, Feature]
    total_episodes: int
    total_frames: int
    robot_type: str | None
    data_path: str
    video_path: str

    @property
    def cameras(self) -> tuple[str, ...]:
        """Keys of the image and video features, in the dataset's order."""
        return tuple(key for key, feature in self.features.items() if feature.is_image)


def next_file(chunk: int, file: int, files_per_chunk: int = FILES_PER_CHUNK) -> tuple[int, int]:
    """(chunk, file) indices of the file after this one."""
    return (chunk + 1, 0) if file == files_per_chunk - 1 else (chunk, file + 1)


def read_info(directory: Path) -> Info:
    """Read and check ``meta/info.json``.

    Raises:
        UsageError: there is no dataset.
        DataError: it is of another version of the format, or the file is damaged.
    """
    path = directory / INFO_PATH
    if not path.is_file():
        raise UsageError(_absent(directory))
    try:
        raw = parse_table(path.read_bytes())
        _check_version(directory, str(raw["codebase_version"]))
        info = Info(
            fps=float(raw["fps"]),
            features={key: _feature(key, value) for key, value in raw["features"].items()},
            total_episodes=int(raw["total_episodes"]),
            total_frames=int(raw["total_frames"]),
            robot_type=raw.get("robot_type"),
            data_path=raw.get("data_path") or DATA_PATH,
            video_path=raw.get("video_path") or VIDEO_PATH,
        )
        _check_info(info)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(f"{path} is damaged ({one_line(error)}); restore it or collect again") from None
    return info


def _check_info(info: Info) -> None:
    if not 0 < info.fps <= FASTEST:
        raise ValueError(f"fps is {info.fps}")
    if len(info.features) > _MOST:
        raise ValueError(f"{len(info.features):,} features, {_MOST:,} are read at most")
    for template in (info.data_path, info.video_path):
        _check_place(template)
    info.data_path.format(chunk_index=0, file_index=0)  # KeyError where it asks for what v3.0 does not have


def _check_place(text: str) -> None:
    """Files of a dataset lie in its directory, and a template may ask for nothing but numbers and the camera."""
    if "".join(match[0] for match in _PLACE.finditer(text)) != text:
        raise ValueError(f"{text!r} is no path with {{chunk_index:03d}} and {{file_index:03d}}")
    if text.startswith("/") or ".." in text.split("/") or not text.isprintable():
        raise ValueError(f"{text!r} leads out of the dataset")


def _feature(key: str, raw: Mapping[str, Any]) -> Feature:
    feature = Feature(str(raw["dtype"]), tuple(int(n) for n in raw["shape"]), raw.get("names"))
    _check_place(key.replace("{", ""))  # videos lie in a directory of this name
    if feature.is_image and len(feature.shape) != 3:
        raise ValueError(f"image feature {key!r} has shape {list(feature.shape)}, expected three numbers")
    if not all(0 < size <= _WIDEST for size in feature.shape):
        raise ValueError(f"feature {key!r} has shape {list(feature.shape)}, expected sizes from 1 to {_WIDEST:,}")
    if not isinstance(feature.names, list | dict | None):
        raise TypeError(f"feature {key!r} has names of type {type(feature.names).__name__}, expected a list")
    return feature


def _absent(directory: Path) -> str:
    if not directory.exists():
        hub = f", and hf:{directory} names one on the hub" if len(directory.parts) == 2 else ""  # or ORG/NAME
        return f"no dataset at {directory}; `zoo collect` records one{hub}"
    if not directory.is_dir():
        return f"{directory} is a file; `zoo data convert` reads robomimic HDF5 and diffusion_policy zarr"
    if (directory / "data").is_dir() and (directory / ".zgroup").exists():
        return f"{directory} is a zarr store; `zoo data convert` makes a LeRobot dataset of it"
    return f"{directory} holds no LeRobot dataset: {INFO_PATH} is missing"


def _check_version(directory: Path, version: str) -> None:
    if version.startswith("v3."):
        return
    if version.startswith("v2."):
        raise DataError(
            f"{directory} is a LeRobot {version} dataset and only v3.0 is read; lerobot converts a copy of it in place:\n"
            "`python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=local/data "
            f"--root={directory} --push-to-hub=false` (in lerobot 0.4: lerobot.datasets.v30.convert_dataset_v21_to_v30)"
        )
    raise DataError(f"{directory} is a LeRobot {version} dataset and only v3.0 is read")
