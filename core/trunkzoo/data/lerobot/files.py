"""The files of a LeRobot dataset that grow episode by episode, each up to a size limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trunkzoo.data.lerobot.layout import DATA_PATH, VIDEO_PATH, Feature, next_file
from trunkzoo.data.lerobot.video import VideoWriter

MIB = 1 << 20


class DataFiles:
    """Parquet files of bounded size, one row group per episode."""

    def __init__(self, root: Path, schema: pa.Schema, limit_mb: float) -> None:
        self.schema, self._root, self._limit = schema, root, limit_mb * MIB
        self._place, self._path = (0, -1), root
        self._writer: Any = None

    def write(self, table: pa.Table) -> dict[str, float]:
        """Append one episode; returns where it lies."""
        if self._writer is None or self._path.stat().st_size >= self._limit:
            self.close()
            self._place = next_file(*self._place)
            chunk, file = self._place
            self._path = self._root / DATA_PATH.format(chunk_index=chunk, file_index=file)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, self.schema, compression="snappy", use_dictionary=True)
        self._writer.write_table(table)
        return {"data/chunk_index": self._place[0], "data/file_index": self._place[1]}

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class VideoFiles:
    """mp4 files of bounded size for one camera; episodes follow each other inside a file."""

    def __init__(self, root: Path, key: str, feature: Feature, fps: float, interval: int, limit_mb: float) -> None:
        self._root, self._key, self._size, self._fps, self._interval = root, key, feature.image_size, fps, interval
        self._limit = limit_mb * MIB
        self._place = (0, -1)
        self._writer: VideoWriter | None = None
        self._info: dict[str, Any] = {}

    def write(self, frames: NDArray[np.uint8]) -> dict[str, float]:
        """Append one episode (T, H, W, 3); returns where it lies."""
        if self._writer is None or self._writer.size >= self._limit:
            self.close()
            self._place = next_file(*self._place)
            chunk, file = self._place
            path = self._root / VIDEO_PATH.format(video_key=self._key, chunk_index=chunk, file_index=file)
            self._writer = VideoWriter(path, self._size, self._fps, self._interval)
        start = self._writer.frames
        self._writer.write(frames)
        return {
            f"videos/{self._key}/chunk_index": self._place[0],
            f"videos/{self._key}/file_index": self._place[1],
            f"videos/{self._key}/from_timestamp": start / self._fps,
            f"videos/{self._key}/to_timestamp": self._writer.frames / self._fps,
        }

    def close(self) -> dict[str, Any]:
        """Finish the current file; returns what ``info.json`` says about the coding."""
        if self._writer is not None:
            self._info, self._writer = self._writer.close(), None
        return self._info
