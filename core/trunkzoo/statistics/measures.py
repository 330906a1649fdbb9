"""Statistics of episode scores. Each reduces the last axis, so that a bootstrap can call it on many resamples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


def mean(scores: Array) -> Any:
    """Arithmetic mean over the last axis."""
    return np.mean(scores, axis=-1)


def median(scores: Array) -> Any:
    """Median over the last axis."""
    return np.median(scores, axis=-1)


def interquartile_mean(scores: Array) -> Any:
    """Mean of the middle half over the last axis (Agarwal et al. 2021, §4.3): a quarter is cut at either end."""
    return stats.trim_mean(scores, 0.25, axis=-1)


def mean_difference(a: Array, b: Array) -> Any:
    """Mean of ``a − b`` over the last axis; column j of both is the same episode seed."""
    return np.mean(a - b, axis=-1)


def probability_of_improvement(a: Array, b: Array) -> Any:
    """P(a > b) + ½ P(a = b) for independent draws of an episode from each (Agarwal et al. 2021, §4.3).

    This is Mann and Whitney's U / (n_a · n_b), computed from mid-ranks over the last axis.
    """
    n_a, n_b = a.shape[-1], b.shape[-1]
    ranks = stats.rankdata(np.concatenate([a, b], axis=-1), axis=-1)[..., :n_a]  # ties share their mean rank: half each
    return (ranks.sum(axis=-1) - n_a * (n_a + 1) / 2) / (n_a * n_b)
