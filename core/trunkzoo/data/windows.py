"""Training windows over a dataset: ``obs_horizon`` observations and the ``pred_horizon`` actions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trunkzoo.data.cache import identity_of, open_frames
from trunkzoo.data.lerobot.reader import EpisodeSpan, LeRobotReader
from trunkzoo.data.lerobot.stats import Stats, statistics
from trunkzoo.data.match import match_cameras
from trunkzoo.errors import DataError
from trunkzoo.plugin.contract import ACTION_KEY, IMAGE_KEY, PAD_KEY, STATE_KEY, Contract


class WindowDataset:
    """One window per frame: window ``i`` has frame ``i`` as its newest observation and ``action[i]`` first.

    Observations before the episode's start repeat its first frame; actions past its end repeat its last action and
    are marked in ``action_is_pad``. So episodes shorter than the horizons give windows too.
    """

    stats: dict[str, Stats]
    """Statistics of ``observation.state`` and ``action`` over all frames, computed from the data itself."""
    images: dict[str, str]
    """Camera of the contract → a hash of what decides its pixels."""
    episodes: tuple[EpisodeSpan, ...]

    def __init__(self, directory: Path, contract: Contract, camera_map: Mapping[str, str]) -> None:
        reader = LeRobotReader(directory)
        columns = reader.columns((STATE_KEY, ACTION_KEY))
        cameras = match_cameras(reader.info, contract, camera_map, directory)
        self.directory, self.contract, self.camera_map = directory, contract, dict(camera_map)
        self.fps, self.episodes = reader.info.fps, reader.episodes
        self._state, self._action = (_finite(columns, key, reader) for key in (STATE_KEY, ACTION_KEY))
        self.stats = {STATE_KEY: statistics(self._state), ACTION_KEY: statistics(self._action)}
        identities = {key: identity_of(reader, key, contract.image_size) for key in cameras.values()}
        self.images = {camera: identities[key] for camera, key in cameras.items()}
        frames = open_frames(reader, identities, contract.image_size)
        self._frames = {IMAGE_KEY + camera: frames[key] for camera, key in cameras.items()}
        lengths = [len(episode) for episode in self.episodes]
        self._first = np.repeat([episode.start for episode in self.episodes], lengths)  # (N,)
        self._last = np.repeat([episode.stop - 1 for episode in self.episodes], lengths)  # (N,)

    def __len__(self) -> int:
        return len(self._action)

    def __reduce__(self) -> tuple[Any, ...]:
        return WindowDataset, (self.directory, self.contract, self.camera_map)  # a copy maps the same files

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The batch of windows ``indices`` (B,) int64 in 0…len-1.

        Returns ``observation.images.<camera>`` (B, obs_horizon, 3, H, W) uint8 over (…, H, W, 3) memory,
        ``observation.state`` (B, obs_horizon, S) float32, ``action`` (B, pred_horizon, A) float32 in the data's
        units, and ``action_is_pad`` (B, pred_horizon) bool.
        """
        newest = indices.numpy()
        observed = self._observed_rows(newest)
        batch = self._images(observed)
        ahead = newest[:, None] + np.arange(self.contract.pred_horizon)  # (B, P)
        last = self._last[newest][:, None]
        batch[STATE_KEY] = torch.from_numpy(self._state[observed])  # (B, T, S)
        batch[ACTION_KEY] = torch.from_numpy(self._action[np.minimum(ahead, last)])  # (B, P, A)
        batch[PAD_KEY] = torch.from_numpy(ahead > last)
        return batch

    def _observed_rows(self, newest: NDArray[np.int64]) -> NDArray[np.int64]:
        if newest.min() < 0:
            raise IndexError(f"window {newest.min()} of {len(self)}")
        back = np.arange(1 - self.contract.obs_horizon, 1)  # oldest … newest
        return np.maximum(newest[:, None] + back, self._first[newest][:, None])  # (B, T)

    def _images(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """The images of ``rows`` (B, T) for every camera, (B, T, 3, H, W).

        One block of memory for all cameras: freed and taken again as a whole, it stays with the process, where
        several smaller ones go back to the system and are zeroed page by page at every batch.
        """
        block = np.empty((len(self._frames), rows.size, *self.contract.image_size, 3), np.uint8)
        for frames, images in zip(self._frames.values(), block, strict=True):
            np.take(frames, rows.reshape(-1), axis=0, out=images, mode="clip")  # "raise" would copy twice
        shaped = block.reshape(len(block), *rows.shape, *block.shape[2:])
        pixels = torch.from_numpy(shaped).permute(0, 1, 2, 5, 3, 4)  # (C, B, T, 3, H, W)
        return dict(zip(self._frames, pixels, strict=True))


def _finite(columns: Mapping[str, NDArray[Any]], key: str, reader: LeRobotReader) -> NDArray[np.float32]:
    """The column (N, D) as float32, once every number is finite."""
    values = columns[key].reshape(len(reader), -1).astype(np.float32)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, dim = (int(n) for n in bad[0])
        episode = next(ep for ep in reader.episodes if ep.start <= row < ep.stop)
        raise DataError(
            f"{reader.directory}: {key} is {values[row, dim]} in episode {episode.index}, frame {row - episode.start}, "
            f"dimension {dim} ({len(bad)} such numbers); repair or leave out these episodes, `zoo data check` lists all"
        )
    return values
