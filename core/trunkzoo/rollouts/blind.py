"""A policy on blanked images: what it scores by the state alone, its floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin.protocols import Policy, Task


class Blindfolded:
    """A policy that sees black where its task's cameras are, and the state as it is; nothing is rendered."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.latencies = policy.latencies

    def reset(self, task: Task, seed: int) -> None:
        """Begin the episode on a task without light."""
        self._policy.reset(_dark(task), seed)
        self.latencies = self._policy.latencies  # of this episode

    def act(self, task: Task) -> NDArray[np.float32]:
        """The policy's action."""
        return self._policy.act(_dark(task))

    def close(self) -> None:
        """Close the policy."""
        self._policy.close()


class _DarkTask:
    """A task as it is, but for its images."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def observe(self) -> Mapping[str, NDArray[Any]]:
        """The observation with black images (H, W, 3)."""
        contract, seen = self._task.contract, self._task.observe()
        black = {key: np.zeros((*contract.image_size, 3), np.uint8) for key in contract.image_keys}
        return black | {key: seen[key] for key in seen if key not in black}


def _dark(task: Task) -> Task:
    return cast(Task, _DarkTask(task))
