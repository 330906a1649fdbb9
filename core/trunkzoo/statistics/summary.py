"""One arm's episodes in numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trunkzoo.statistics.intervals import (
    Interval,
    bootstrap,
    matrix,
    over_trainings,
    rate_over_trainings,
    wilson,
)
from trunkzoo.statistics.measures import mean
from trunkzoo.statistics.middle import middle


class Summary(NamedTuple):
    """Success and average reward of one arm.

    With one training seed the intervals speak of the agent that was trained: success has Wilson's, rewards have the
    bootstrap's. With several they speak of the recipe: see :func:`~trunkzoo.statistics.intervals.over_trainings`.
    """

    training_seeds: int
    episodes: int
    successes: int
    success: Interval
    reward_mean: Interval
    reward_median: Interval
    reward_iqm: Interval

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; intervals as ``[value, low, high]``."""
        return {k: v.limits() if isinstance(v, Interval) else v for k, v in self._asdict().items()}


def summarize(success: ArrayLike, reward: ArrayLike) -> Summary:
    """Summarise matrices (training seeds, episode seeds): ``success`` of 0 and 1, ``reward`` per step."""
    won, rewards = matrix(success), matrix(reward)
    successes = int(np.count_nonzero(won))
    reward_median, reward_iqm = middle(rewards)
    return Summary(
        training_seeds=won.shape[0],
        episodes=won.shape[1],
        successes=successes,
        success=wilson(successes, won.size) if len(won) == 1 else rate_over_trainings(won),
        reward_mean=bootstrap(mean, rewards) if len(rewards) == 1 else over_trainings(rewards),
        reward_median=reward_median,
        reward_iqm=reward_iqm,
    )
