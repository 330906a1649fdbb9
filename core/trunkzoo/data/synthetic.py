"""A made-up dataset for tests and benchmarks: a disc that moves over a gradient, and the numbers that say where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.data.lerobot.layout import DATA_FILE_MB, VIDEO_FILE_MB
from trunkzoo.data.lerobot.writer import LeRobotWriter, task_features
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY, TaskContract


def write_synthetic(
    directory: Path,
    contract: TaskContract,
    lengths: Sequence[int],
    *,
    fps: float = 20,
    video: bool = False,
    tasks: Sequence[str] = ("follow the disc",),
    seed: int = 0,
    data_file_mb: float = DATA_FILE_MB,
    video_file_mb: float = VIDEO_FILE_MB,
) -> None:
    """Write one episode per entry of ``lengths``; episode ``i`` has task ``i`` modulo their number and seed ``i``.

    ``data_file_mb`` and ``video_file_mb`` are those of :class:`LeRobotWriter`.
    """
    rng = np.random.default_rng(seed)
    features = task_features(contract, video)
    with LeRobotWriter(directory, features, fps, data_file_mb=data_file_mb, video_file_mb=video_file_mb) as writer:
        for i, length in enumerate(lengths):
            writer.add_episode(episode(contract, length, rng), tasks[i % len(tasks)], {"seed": i})


def episode(contract: TaskContract, length: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Frames of one episode, as :meth:`LeRobotWriter.add_episode` takes them."""
    path = np.cumsum(rng.normal(0, 0.02, (length, 2)), axis=0) + rng.uniform(0.3, 0.7, 2)  # (T, 2) in image sides
    images = {
        key: np.stack([_disc(contract.image_size, x, y, shade) for x, y in path])
        for shade, key in enumerate(contract.image_keys)
    }
    return {
        **images,
        STATE_KEY: _spread(path, contract.state_dim, rng),
        ACTION_KEY: _spread(np.roll(path, -1, axis=0), contract.action_dim, rng),
    }


def _disc(size: tuple[int, int], x: float, y: float, shade: int) -> NDArray[np.uint8]:
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    inside = (columns / width - x) ** 2 + (rows / height - y) ** 2 < 0.02
    image = np.stack([255 * columns / width, 255 * rows / height, np.full(size, 40.0 * shade % 256)], axis=-1)
    image[inside] = (240, 240, 20)
    pixels: NDArray[np.uint8] = image.astype(np.uint8)
    return pixels  # (H, W, 3)


def _spread(path: NDArray[np.float64], width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``width`` mixtures of the path's two coordinates, plus noise: (T, width)."""
    mixing = np.random.default_rng(width).normal(size=(2, width))
    values: NDArray[np.float32] = (path @ mixing + rng.normal(0, 0.01, (len(path), width))).astype(np.float32)
    return values
