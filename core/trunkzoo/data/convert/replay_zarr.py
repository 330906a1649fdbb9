"""diffusion_policy's replay buffers: a zarr group with ``data/<key>`` (N, …) and ``meta/episode_ends`` (E,).

Source: diffusion_policy, common/replay_buffer.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkzoo.data.convert.sources import Arrays, is_video
from trunkzoo.errors import DataError
from trunkzoo.plugin.contract import ACTION_KEY


class ReplayZarr:
    """One replay buffer. The format states neither task nor frame rate."""

    fps: float | None = None

    def __init__(self, root: Any, path: Path) -> None:
        """``root``: an open zarr group."""
        if "data" not in root or "meta/episode_ends" not in root or ACTION_KEY not in root["data"]:
            raise DataError(f"{path} is no diffusion_policy replay buffer: it needs data/action and meta/episode_ends")
        self._arrays = {name: root["data"][name] for name in root["data"].array_keys()}
        found, rows = root["meta/episode_ends"][:].tolist(), len(self._arrays[ACTION_KEY])
        self._ends = [int(end) for end in found]
        if not found or self._ends != sorted(set(found)) or not 0 <= self._ends[0] <= self._ends[-1] <= rows:
            raise DataError(f"{path}: meta/episode_ends does not ascend in whole numbers from 0 to the {rows} rows")
        self.task = path.name.removesuffix(".zip").removesuffix(".zarr")
        self.cameras = {name: name for name, array in self._arrays.items() if is_video(array.shape)}
        self.state: tuple[str, ...] = ("state",) if "state" in self._arrays else ()

    def __len__(self) -> int:
        return len(self._ends)

    def episodes(self) -> Iterator[Arrays]:
        for start, stop in zip([0, *self._ends], self._ends, strict=False):
            yield {name: array[start:stop] for name, array in self._arrays.items()}
