"""One episode, from reset to the step cap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from trunkzoo.errors import TaskError
from trunkzoo.plugin.protocols import Policy, Step, Task
from trunkzoo.rollouts.job import EpisodeResult


class Recorder(Protocol):
    """Sees every step of an episode, for example to film it."""

    def start(self, task: Task) -> None:
        """The episode begins."""
        ...

    def add(self, task: Task, step: Step, new_chunk: bool) -> None:
        """One step was taken; ``new_chunk`` if its action began a new prediction."""
        ...


def run_episode(
    task: Task,
    policy: Policy,
    seed: int,
    max_steps: int,
    alive: Callable[[], None] = lambda: None,
    recorders: Sequence[Recorder] = (),
) -> EpisodeResult:
    """Run ``max_steps`` control steps of the episode of ``seed``; ``alive`` is called after every step.

    Raises:
        TaskError: an action or a reward is NaN or infinite; nothing can be averaged then.
    """
    task.reset(seed)
    policy.reset(task, seed)
    for recorder in recorders:
        recorder.start(task)
    rewards: list[float] = []
    success_step: int | None = None
    for number in range(1, max_steps + 1):
        predicted = len(policy.latencies)
        step = _checked_step(task, policy, f"episode {seed}, step {number}")
        rewards.append(float(step.reward))
        if step.success and success_step is None:
            success_step = number
        for recorder in recorders:
            recorder.add(task, step, new_chunk=len(policy.latencies) > predicted)
        alive()
    total = sum(rewards)
    return EpisodeResult(
        seed, success_step is not None, success_step, total / max_steps, total, max(rewards), max_steps
    )


def _checked_step(task: Task, policy: Policy, where: str) -> Step:
    action = policy.act(task)
    if not all(map(math.isfinite, action)):
        raise TaskError(f"{where}: the action is {action.tolist()}; were the weights trained on finite losses?")
    step = task.step(action)
    if not math.isfinite(step.reward):
        raise TaskError(f"{where}: the task's reward is {step.reward}; it must be a finite number")
    return step
