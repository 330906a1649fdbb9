"""Commands of scripted demonstrators: plans made in advance, and the check of what a task is told to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin import TaskError
from trunkzoo.simulation.kinematics import Vector

Actions = NDArray[np.float32]


class Script:
    """Plays the rows of a plan, one per control step: an expert of a task."""

    def __init__(self, commands: Actions, tolerance: Actions | None = None) -> None:
        """``commands`` (steps, action_dim); ``tolerance`` is the deviation of the noise each survives, None for none."""
        self._commands = commands
        self._tolerance = np.zeros_like(commands) if tolerance is None else tolerance
        self._next = 0

    def tolerance(self) -> Actions:
        """Deviation of the noise that the next command survives, (action_dim,); 0 after the last."""
        if self._next == len(self._commands):
            return np.zeros_like(self._commands[0])
        deviation: Actions = self._tolerance[self._next]
        return deviation

    def act(self) -> Actions | None:
        """The next command (action_dim,), or None after the last."""
        if self._next == len(self._commands):
            return None
        command: Actions = self._commands[self._next]
        self._next += 1
        return command


def stack(*arms: tuple[Sequence[Vector], Sequence[float]]) -> Actions:
    """Commands (steps, Σ(n + 1)) from each arm's joint angles (steps × (n,)) and gripper commands (steps)."""
    columns = [np.column_stack([np.asarray(angles), grips]) for angles, grips in arms]
    commands: Actions = np.concatenate(columns, axis=1).astype(np.float32)
    return commands


def joint_noise(commands: Actions, joints: int, deviation: float, clean_from: int) -> Actions:
    """A tolerance for the arms of :func:`stack`, each of ``joints`` joints and a gripper, shaped like ``commands``.

    ``deviation`` (rad) of every joint, never of a gripper, until step ``clean_from``; 0 from there on.
    """
    tolerance = np.zeros_like(commands)
    tolerance[:clean_from] = deviation
    tolerance[:, joints :: joints + 1] = 0.0
    return tolerance


def checked_action(action: Actions, low: Actions, high: Actions) -> Actions:
    """``action`` (action_dim,) clipped to the limits ``low`` and ``high``.

    Raises:
        TaskError: wrong shape or a value that is not finite.
    """
    if action.shape != low.shape or not np.isfinite(action).all():
        raise TaskError(f"an action must be {len(low)} finite numbers, got shape {action.shape}: {action}")
    clipped: Actions = np.clip(action, low, high)
    return clipped
