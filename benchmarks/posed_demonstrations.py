"""Demonstrations of the two-arm tasks with the object's true pose beside the robot's state: what perfect eyes see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trunkzoo.data.lerobot.stats import statistics
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY
from trunkzoo.plugin.protocols import Step
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.rollouts.collect import demonstrate
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS

POSE_KEY, POSE_DIM = "pose", 9
BODIES = {"two-arm-handover": "hammer_root", "two-arm-lift": "pot_root"}


class Posed:
    """A two-arm task whose observation is the robot's state and the object's true pose; nothing is rendered."""

    def __init__(self, task: Any, body: str) -> None:
        self.contract, self.action_low, self.action_high = task.contract, task.action_low, task.action_high
        self._task, self._body = task, body

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed``."""
        self._task.reset(seed)

    def observe(self) -> dict[str, NDArray[np.float32]]:
        """State (16,) and pose (9,): place in m, and the first two columns of the rotation."""
        body = self._task.data.body(self._body)
        pose = np.concatenate([body.xpos, body.xmat.reshape(3, 3)[:, :2].ravel()])
        return {STATE_KEY: self._task.observe()[STATE_KEY], POSE_KEY: pose.astype(np.float32)}

    def step(self, action: NDArray[np.float32]) -> Step:
        """One control step."""
        return cast(Step, self._task.step(action))

    def hold(self) -> NDArray[np.float32]:
        """The resting action."""
        return cast(NDArray[np.float32], self._task.hold())

    def expert(self, seed: int) -> Any:
        """The scripted demonstrator."""
        return self._task.expert(seed)

    def close(self) -> None:
        """Free the simulation."""
        self._task.close()


def demonstrations(task: Posed, spec: TaskSpec[Any], wanted: int, file: Path | None) -> list[dict[str, Tensor]]:
    """The first ``wanted`` demonstrations, from ``file`` where it holds enough of them."""
    kept: list[dict[str, Tensor]] = torch.load(file) if file and file.exists() else []
    if len(kept) < wanted:
        kept = list(_demonstrate(task, spec, wanted))
        if file:
            torch.save(kept, file)
    return kept[:wanted]


def _demonstrate(task: Posed, spec: TaskSpec[Any], wanted: int) -> Iterator[dict[str, Tensor]]:
    """``wanted`` successful episodes: state (T, 16), pose (T, 9), clean commands (T, 16)."""
    seed = DEMONSTRATION_SEEDS
    while wanted:
        demo = demonstrate(task, seed, 1.0, spec.demo_steps)
        seed += 1
        if demo.first_success is not None:
            wanted -= 1
            yield {key: torch.from_numpy(values) for key, values in demo.frames.items()}


class Windows:
    """One window per frame of some episodes: what is seen, the chunk that follows, and which of it is real."""

    def __init__(self, episodes: Sequence[dict[str, Tensor]], horizon: int) -> None:
        self.state, self.pose = (torch.cat([ep[key] for ep in episodes]) for key in (STATE_KEY, POSE_KEY))
        chunks, valid = zip(*(_chunks(ep[ACTION_KEY], horizon) for ep in episodes), strict=True)
        self.actions, self.valid = torch.cat(chunks), torch.cat(valid)
        self.stats = {key: statistics(torch.cat([ep[key] for ep in episodes]).numpy()) for key in episodes[0]}

    def __len__(self) -> int:
        return len(self.state)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """State, pose, chunk and valid mask of the windows ``index``."""
        return self.state[index], self.pose[index], self.actions[index], self.valid[index]


def _chunks(actions: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
    """(T, A) → chunks (T, horizon, A), the last action repeated past the end, and where they are real."""
    ahead = torch.arange(len(actions))[:, None] + torch.arange(horizon)
    return actions[ahead.clamp_max(len(actions) - 1)], ahead < len(actions)
