"""One arm's episodes in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trunkzoo.statistics.intervals import (
    Interval,
    Matrix,
    bootstrap,
    matrix,
    over_trainings,
    rate_over_trainings,
    wilson,
)
from trunkzoo.statistics.measures import mean
from trunkzoo.statistics.middle import middle


@dataclass(frozen=True)
class Summary:
    """Success and average reward of one arm.

    With one training seed the intervals speak of the agent that was trained: success has Wilson's, rewards have the
    bootstrap's. With several they speak of the recipe: see :func:`~trunkzoo.statistics.intervals.over_trainings`.
    """

    training_seeds: int
    episodes: int
    successes: int
    success: Interval
    reward_mean: Interval
    rewards: Matrix = field(repr=False, compare=False)
    """Average reward per step, (training seeds, episode seeds)."""

    @property
    def reward_median(self) -> Interval:
        """Median of all rewards; resampled when it is first asked for, a tenth of a second for 10 × 200."""
        return self._middle[0]

    @property
    def reward_iqm(self) -> Interval:
        """Interquartile mean of all rewards."""
        return self._middle[1]

    @cached_property
    def _middle(self) -> tuple[Interval, Interval]:
        return middle(self.rewards)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; intervals as ``[value, low, high]``."""
        intervals = ("success", "reward_mean", "reward_median", "reward_iqm")
        counts = {name: getattr(self, name) for name in ("training_seeds", "episodes", "successes")}
        return counts | {name: getattr(self, name).limits() for name in intervals}


def summarize(success: ArrayLike, reward: ArrayLike) -> Summary:
    """Summarise matrices (training seeds, episode seeds): ``success`` of 0 and 1, ``reward`` per step."""
    won, rewards = matrix(success), matrix(reward)
    successes = int(np.count_nonzero(won))
    return Summary(
        training_seeds=won.shape[0],
        episodes=won.shape[1],
        successes=successes,
        success=wilson(successes, won.size) if len(won) == 1 else rate_over_trainings(won),
        reward_mean=bootstrap(mean, rewards) if len(rewards) == 1 else over_trainings(rewards),
        rewards=rewards,
    )
