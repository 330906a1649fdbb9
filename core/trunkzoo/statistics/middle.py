"""Median and interquartile mean of one arm's scores, with intervals: a resample is how often it holds each score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trunkzoo.statistics.intervals import BOOTSTRAP_SEED, FEWEST_EPISODES, RESAMPLES, Interval, Matrix, widest
from trunkzoo.statistics.measures import interquartile_mean, median

STATISTICS = (median, interquartile_mean)


def middle(scores: Matrix) -> tuple[Interval, Interval]:
    """Median and interquartile mean of all scores (trainings, scenes): the wider limits of the bootstrap and Student's t.

    The bootstrap draws trainings and scenes independently of each other (Owen 2007, the pigeonhole bootstrap). It cannot
    look beyond the trainings that it has: where these differ more than episodes do, two equal arms of three trainings
    come out as different in one case of four. With t, which takes every training as one number, in one of twenty. Under
    five episodes: NaN limits.
    """
    values = [float(statistic(scores.ravel())) for statistic in STATISTICS]
    if scores.shape[1] < FEWEST_EPISODES:
        first, second = (Interval(value, math.nan, math.nan) for value in values)
        return first, second
    first, second = (Interval(value, *limits) for value, limits in zip(values, _limits(scores), strict=True))
    if len(scores) == 1:
        return first, second
    return widest(first, _of_trainings(first.value, median(scores))), widest(
        second, _of_trainings(second.value, interquartile_mean(scores))
    )


def _of_trainings(value: float, trainings: NDArray[np.float64]) -> Interval:
    """Student's interval of trainings (S,), one number each."""
    count = len(trainings)
    half = float(stats.t.ppf(0.975, count - 1) * np.std(trainings, ddof=1) / math.sqrt(count))
    return Interval(value, value - half, value + half)


def _limits(scores: Matrix) -> list[tuple[float, float]]:
    """Percentile limits of both statistics over training seeds and episode seeds; scipy draws their numbers."""
    order = np.argsort(scores, axis=None)
    rows, columns = np.divmod(order, scores.shape[1])
    values = scores.ravel()[order]

    def of_numbers(*drawn: NDArray[np.int64], axis: int = -1) -> Any:
        held = _counts(drawn[-1], scores.shape[1])[columns]  # (n, resamples)
        if len(drawn) == 2:  # one row is no sample of rows
            held *= _counts(drawn[0], len(scores))[rows]
        return _statistics(values, np.cumsum(held, axis=0, out=held))

    found = stats.bootstrap(
        [np.arange(size) for size in scores.shape if size > 1],
        of_numbers,
        n_resamples=RESAMPLES,
        batch=250,  # bounds the memory of 10 × 200 episodes to a few megabytes
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(BOOTSTRAP_SEED),
    ).confidence_interval
    return list(zip(found.low.tolist(), found.high.tolist(), strict=True))


def _counts(drawn: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """How often each of the numbers 0 … ``size`` − 1 was drawn, (size, resamples); float32 is exact to 2^24, and fast.

    Resamples lie side by side in memory: whatever goes from score to score goes along all of them at once.
    """
    drawn = np.atleast_2d(drawn)
    apart = drawn * len(drawn) + np.arange(len(drawn))[:, None]
    return np.bincount(apart.ravel(), minlength=size * len(drawn)).reshape(size, -1).astype(np.float32)


def _statistics(values: NDArray[np.float64], ranks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Median and interquartile mean, (2, resamples), of sorted ``values`` (n,).

    ``ranks`` (n, resamples): how many scores of a resample are at most the value. They are overwritten.
    """
    n, cut = len(values), len(values) // 4
    lower = values[(ranks <= (n - 1) // 2).sum(axis=0)]
    upper = values[(ranks <= n // 2).sum(axis=0)]
    kept = np.clip(ranks, cut, n - cut, out=ranks)  # a quarter is cut at either end
    total = (n - cut) * values[-1] - cut * values[0] - np.diff(values) @ kept[:-1]  # summation by parts
    return np.stack([(lower + upper) / 2, total / (n - 2 * cut)])
