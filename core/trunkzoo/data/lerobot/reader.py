"""Read a LeRobot v3.0 dataset: what its metadata says, and its numbers as arrays."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trunkzoo.data.lerobot.layout import TASKS_PATH, Info, read_info
from trunkzoo.data.reading import reading
from trunkzoo.errors import DataError, one_line
from trunkzoo.system.files import regular

REQUIRED = ("episode_index", "dataset_from_index", "dataset_to_index", "data/chunk_index", "data/file_index")
"""Columns of ``meta/episodes`` without which rows cannot be found."""


@dataclass(frozen=True)
class EpisodeSpan:
    """Rows ``start`` to ``stop`` (exclusive) of the dataset, and what its metadata says."""

    index: int
    start: int
    stop: int
    tasks: tuple[str, ...]
    row: dict[str, Any] = field(repr=False)
    """The whole row of ``meta/episodes`` but its statistics; what the recorder added (such as ``seed``) is in it."""

    def __len__(self) -> int:
        return self.stop - self.start


class LeRobotReader:
    """One dataset on disk. Rows are numbered over the data files in order, as lerobot numbers them.

    Raises:
        DataError: metadata is missing or damaged, or the episodes do not add up.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.info: Info = read_info(directory)
        with reading(directory):
            self.episodes: tuple[EpisodeSpan, ...] = _read_episodes(directory)
            _check_episodes(self.episodes, directory)

    def __len__(self) -> int:
        return self.episodes[-1].stop

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Instructions in words, by ``task_index``."""
        path = self.directory / TASKS_PATH
        table = read_table(path)
        # pandas has stored the index, which is the text, under several names
        texts = [name for name in table.column_names if name != "task_index"]
        if not texts or len(texts) == table.num_columns:
            raise DataError(f"{path} needs task_index and a text, it has {table.column_names}")
        with reading(path):
            pairs = zip(table["task_index"].to_pylist(), table[texts[0]].to_pylist(), strict=True)
            return tuple(str(task) for _, task in sorted(pairs, key=lambda pair: int(pair[0] or 0)))

    @cached_property
    def data_files(self) -> tuple[Path, ...]:
        """The parquet files that the episodes name, in order."""
        places = {(ep.row["data/chunk_index"], ep.row["data/file_index"]) for ep in self.episodes}
        return tuple(
            self.directory / self.info.data_path.format(chunk_index=chunk, file_index=file)
            for chunk, file in sorted(places)
        )

    def video_files(self, key: str) -> dict[Path, list[EpisodeSpan]]:
        """The mp4 files of a video feature with the episodes in each, in order."""
        files: dict[Path, list[EpisodeSpan]] = defaultdict(list)
        for episode in self.episodes:
            chunk, file, _ = (
                self._place(episode, key, name) for name in ("chunk_index", "file_index", "from_timestamp")
            )
            path = self.info.video_path.format(video_key=key, chunk_index=int(chunk), file_index=int(file))
            files[self.directory / path].append(episode)
        return dict(files)

    def _place(self, episode: EpisodeSpan, key: str, name: str) -> Any:
        value = episode.row.get(f"videos/{key}/{name}")
        if not (isinstance(value, int | float) and math.isfinite(value)):
            raise DataError(f"{self.directory}: meta/episodes lacks videos/{key}/{name} of episode {episode.index}")
        return value

    def columns(self, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Whole columns as arrays (N, *shape), a feature of shape (1,) as (N,).

        Raises:
            DataError: a file is missing or damaged, a column is absent, or the rows are not those of the episodes.
        """
        wanted = [*dict.fromkeys((*keys, "episode_index"))]
        with reading(self.directory):
            tables = [read_table(path, wanted) for path in self.data_files]
            whole = {key: np.concatenate([self._array(table, key) for table in tables]) for key in wanted}
            rows = len(whole["episode_index"])
            if rows != len(self) or not np.array_equal(whole["episode_index"], self._owners()):
                raise DataError(
                    f"{self.directory}: the {rows} rows of the data files are not the {len(self)} "
                    "rows that meta/episodes describes; `zoo data check` says where"
                )
        return {key: whole[key] for key in keys}

    def _owners(self) -> NDArray[np.int64]:
        """The episode of every row (N,)."""
        return np.repeat([ep.index for ep in self.episodes], [len(ep) for ep in self.episodes])

    def _array(self, table: pa.Table, key: str) -> NDArray[Any]:
        if key not in self.info.features:
            raise DataError(f"{self.directory}: meta/info.json names no feature {key}; restore the file")
        shape = self.info.features[key].shape
        column = table[key].combine_chunks()
        while pa.types.is_nested(column.type) and not pa.types.is_struct(column.type):
            lengths = pc.unique(pc.list_value_length(column)).to_pylist()
            if len(lengths) > 1 or None in lengths:  # their sum may fit, and then rows would shift into each other
                raise DataError(f"{self.directory}: column {key} holds lists of several lengths; restore the file")
            column = column.flatten()
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        if values.dtype.kind not in "biuf":
            raise DataError(f"{self.directory}: column {key} holds {column.type}, not numbers; restore the file")
        if values.size != table.num_rows * int(np.prod(shape)):
            raise DataError(f"{self.directory}: column {key} holds {values.size} numbers, not rows × {list(shape)}")
        return values if shape == (1,) else values.reshape(-1, *shape)


def read_table(path: Path, columns: Collection[str] | None = None) -> pa.Table:
    """Read a parquet file.

    Raises:
        DataError: it is missing, damaged, or lacks a column.
    """
    with open_parquet(path) as file:
        absent = set(columns or ()) - set(file.schema_arrow.names)
        if absent:
            raise DataError(f"{path} lacks the columns {sorted(absent)}; it has {file.schema_arrow.names}")
        try:
            return file.read(columns=None if columns is None else list(columns))
        except Exception as error:  # whatever pyarrow makes of damaged pages
            raise DataError(_damaged(path, error)) from error


def open_parquet(path: Path) -> pq.ParquetFile:
    """The parquet file at ``path``, its footer read; DataError if it is missing or damaged."""
    try:
        return pq.ParquetFile(regular(path))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; `zoo data check` lists what else is") from None
    except Exception as error:
        raise DataError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} is cut off or damaged ({one_line(error)}); copy it again"


def _read_episodes(directory: Path) -> tuple[EpisodeSpan, ...]:
    files = sorted((directory / "meta" / "episodes").glob("*/*.parquet"))
    if not files:
        raise DataError(f"{directory} has no meta/episodes/*/*.parquet; copy the dataset again")
    rows: list[dict[str, Any]] = []
    for path in files:
        with open_parquet(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith("stats/")]
        rows += read_table(path, {*names, *REQUIRED}).to_pylist()
    wrong = [f"{key} = {row[key]!r}" for row in rows for key in REQUIRED if not _is_count(row[key])]
    if wrong:
        raise DataError(f"{directory}: meta/episodes holds {wrong[0]}, not a whole number ≥ 0; restore the file")
    return tuple(_episode(row) for row in sorted(rows, key=lambda row: int(row["episode_index"])))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _episode(row: dict[str, Any]) -> EpisodeSpan:
    start, stop = int(row["dataset_from_index"]), int(row["dataset_to_index"])
    return EpisodeSpan(int(row["episode_index"]), start, stop, tuple(str(task) for task in row.get("tasks") or ()), row)


def _check_episodes(episodes: tuple[EpisodeSpan, ...], directory: Path) -> None:
    if not episodes:
        raise DataError(f"{directory} has no episodes")
    expected = 0
    for episode in episodes:
        if episode.start != expected or episode.stop <= episode.start:
            raise DataError(
                f"{directory}: episode {episode.index} claims rows {episode.start} to {episode.stop}, "
                f"but the one before ends at {expected}; `zoo data check` lists every fault"
            )
        expected = episode.stop
