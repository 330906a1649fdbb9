"""The scripted demonstrators of the reach tasks."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Action = NDArray[np.float32]
STEPS = 14  # of the straight way, which leave 2 % of it
CLEAR = 0.1  # of the circle that is aimed at, outside the wall
SLACK = 0.01  # between the wall and a way that counts as free
LEAD = 0.9  # radians by which the commanded place runs ahead around the wall


class Scene(Protocol):
    """What a demonstrator sees of a task: places (2,) in the unit square, and the radius of the wall in its middle."""

    place: NDArray[np.float64]
    target: NDArray[np.float64]
    wall: float


class Straight:
    """Points at the target for fourteen steps."""

    def __init__(self, target: NDArray[np.float64]) -> None:
        self._target, self._left = target.astype(np.float32), STEPS

    def act(self) -> Action | None:
        """The target, or None after fourteen steps."""
        self._left -= 1
        return None if self._left < 0 else self._target


class Around:
    """Circles the wall on one side until the way to the target is free, goes there and rests."""

    def __init__(self, task: Scene, left: bool) -> None:
        self._task, self._turn = task, -1.0 if left else 1.0
        self._left = STEPS

    def act(self) -> Action | None:
        """The next place to go to, or None at the end."""
        task = self._task
        if self._free():
            self._left -= bool(np.linalg.norm(task.place - task.target) < 0.02)
            return None if self._left < 0 else task.target.astype(np.float32)
        out = task.place - 0.5
        angle = np.arctan2(out[1], out[0]) + self._turn * LEAD
        radius = task.wall + CLEAR
        ahead = 0.5 + radius / np.cos(LEAD / 2) * np.array([np.cos(angle), np.sin(angle)])
        command: Action = np.clip(ahead, 0, 1).astype(np.float32)
        return command

    def tolerance(self) -> Action:
        """Noise that the point survives: a little on the way, none at the target."""
        distance = float(np.linalg.norm(self._task.place - self._task.target))
        return np.full(2, 0.04 if distance > 0.2 else 0.0, np.float32)

    def _free(self) -> bool:
        """Does the straight way to the target keep clear of the wall?"""
        way = self._task.target - self._task.place
        length = max(float(np.linalg.norm(way)), 1e-9)
        along = np.clip(np.dot(0.5 - self._task.place, way) / length**2, 0, 1)
        nearest = self._task.place + along * way - 0.5
        return bool(np.linalg.norm(nearest) > self._task.wall + SLACK)
