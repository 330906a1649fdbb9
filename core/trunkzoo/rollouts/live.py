"""Frames of an episode that is being played, for somebody who watches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trunkzoo.plugin.protocols import Step, Task
from trunkzoo.rollouts.film import camera_images

FRAME_EVERY = 0.2  # seconds; a frame costs a rendering of every camera
TALLEST = 48  # pixels of a picture in a terminal, two to a line


@dataclass(frozen=True)
class LiveFrame:
    """What the cameras see after some step of the episode of ``seed``."""

    seed: int
    step: int
    reward: float
    cameras: tuple[NDArray[np.uint8], ...]
    """An image per camera, (H, W, 3) uint8."""


class Broadcast:
    """A recorder that sends a frame now and then."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self._connection, self._seed = connection, seed
        self._steps, self._last = 0, 0.0

    def start(self, task: Task) -> None:
        """Send the scene before the first step."""
        self._send(task, 0.0)

    def add(self, task: Task, step: Step, new_chunk: bool) -> None:
        """Send the scene after a step, unless the last frame is recent."""
        self._steps += 1
        if time.monotonic() - self._last >= FRAME_EVERY:
            self._send(task, float(step.reward))

    def _send(self, task: Task, reward: float) -> None:
        self._connection.send(LiveFrame(self._seed, self._steps, reward, tuple(camera_images(task))))
        self._last = time.monotonic()


def side_by_side(cameras: Sequence[NDArray[np.uint8]], width: int) -> NDArray[np.uint8]:
    """All cameras in one image (H, W, 3) uint8 with W ≤ ``width`` and H ≤ 48, equally high, one dark column between them."""
    room = width - (len(cameras) - 1)
    height = min(TALLEST, int(room / sum(image.shape[1] / image.shape[0] for image in cameras)))
    gap = np.zeros((height, 1, 3), np.uint8)
    parts = [part for image in cameras for part in (gap, _scaled(image, height))]
    return np.concatenate(parts[1:], axis=1)


def _scaled(image: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    width = int(height * image.shape[1] / image.shape[0])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
