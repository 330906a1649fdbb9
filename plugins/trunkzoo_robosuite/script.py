"""A demonstration that is planned in advance: rows of commands, and how much noise each of them survives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trunkzoo.simulation.kinematics import Vector

OPEN, CLOSED = -1.0, 1.0
_IS_JOINT = np.tile(np.append(np.ones(7), 0.0), 2).astype(np.float32)


class Script:
    """Plays the rows of a plan, one per control step."""

    def __init__(self, commands: NDArray[np.float32], noise: NDArray[np.float32]) -> None:
        """``commands`` (steps, 16); ``noise`` (steps,): deviation of the joint noise that each step survives, rad."""
        self._commands, self._noise = commands, noise
        self._next = 0

    def tolerance(self) -> NDArray[np.float32]:
        """Deviation of the noise that the next command survives, (16,): joints in rad, never the grippers."""
        noise = float(self._noise[self._next]) if self._next < len(self._noise) else 0.0
        return np.float32(noise) * _IS_JOINT

    def act(self) -> NDArray[np.float32] | None:
        """The next command (16,), or None after the last."""
        if self._next == len(self._commands):
            return None
        command: NDArray[np.float32] = self._commands[self._next]
        self._next += 1
        return command


def stack(*arms: tuple[list[Vector], list[float]]) -> NDArray[np.float32]:
    """Commands (steps, 16) from each arm's joint angles (steps × (7,)) and gripper commands (steps)."""
    columns = [np.column_stack([np.asarray(angles), grips]) for angles, grips in arms]
    commands: NDArray[np.float32] = np.concatenate(columns, axis=1).astype(np.float32)
    return commands
