"""Policies without a network: the floors no-op and random, and the task's expert as ceiling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trunkzoo.catalogue.tasks import expert_commands
from trunkzoo.errors import TaskError
from trunkzoo.plugin.protocols import Task

Action = NDArray[np.float32]
SPREAD = 0.1  # of the action range, either way: what a random policy moves around the resting action


class Scripted:
    """What the policies without a network share: they predict no chunks and hold nothing."""

    def __init__(self) -> None:
        self.latencies: list[float] = []

    def close(self) -> None:
        """Nothing is held."""


class NoopPolicy(Scripted):
    """The no-op floor: sends the action that keeps the robot still."""

    def reset(self, task: Task, seed: int) -> None:
        """Take the resting action of this episode's start."""
        self._still = task.hold()

    def act(self, task: Task) -> Action:
        """The resting action."""
        return self._still


class RandomPolicy(Scripted):
    """The random floor: uniform actions around the resting one, 10 % of the action range either way."""

    def __init__(self, noise_seed: int) -> None:
        super().__init__()
        self._noise_seed = noise_seed

    def reset(self, task: Task, seed: int) -> None:
        """Start the generator of this episode."""
        self._low, self._high, self._centre = task.action_low, task.action_high, task.hold()
        self._random = np.random.default_rng([self._noise_seed, seed])

    def act(self, task: Task) -> Action:
        """A fresh draw, clipped to the action range."""
        reach = SPREAD * (self._high - self._low)
        drawn = self._centre + reach * self._random.uniform(-1, 1, self._centre.shape)
        return np.clip(drawn, self._low, self._high).astype(np.float32)


class ExpertPolicy(Scripted):
    """The task's scripted demonstrator; after its last command it holds that command."""

    def reset(self, task: Task, seed: int) -> None:
        """Plan the episode just reset."""
        self._commands = (command for command, _ in expert_commands(task, seed))
        self._last: Action | None = None

    def act(self, task: Task) -> Action:
        """The next command, or the last one again."""
        self._last = next(self._commands, self._last)
        if self._last is None:
            raise TaskError("the expert gave no command at all; it must act at least once")
        return self._last
