"""May a suite stop early? Repeated intervals over training seeds, valid at every look together, and futility.

After each training seed the difference of two arms is looked at again. The intervals of all looks hold the true
difference together with 95 %, so one may stop at any of them for any reason (repeated confidence intervals, Jennison and
Turnbull 1989): a confidence sequence up to the stated number of trainings.

Why not a sequence without end or without a distribution: at 3 to 12 trainings these decide nothing. A betting or
empirical-Bernstein sequence for differences in [−1, 1] can multiply its capital by at most 1 + d per training, and
needs a factor of 40: twelve trainings that ALL differ by 0.2 reach 9. Student's t needs trainings' means to be nearly
normal, which sums over dozens of episodes are; the number of trainings is stated in the suite anyway.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trunkzoo.statistics.intervals import Interval
from trunkzoo.statistics.variance import mean_squares, pair_variance

Array = NDArray[np.float64]
State = Literal["decided", "futile", "open"]
FIRST = 3  # trainings at the first look: two have one degree of freedom
PATHS = 400_000  # simulated null suites behind the limits: the error of 5 % is then 0.03 %
SEED = 1989
HOPE = 0.1  # chance of a finding at the end below which going on is futile


class Look(NamedTuple):
    """The difference a − b after some trainings."""

    trainings: int
    difference: Interval
    """Its limits hold at all looks together."""
    chance: float
    """Chance of a finding at the last training if the true difference is the stated one, given these trainings."""

    @property
    def state(self) -> State:
        """Decided if the interval leaves zero out, futile if a finding is out of reach."""
        if self.difference.low > 0 or self.difference.high < 0:
            return "decided"
        return "futile" if self.chance < HOPE else "open"


def looks(total: int) -> range:
    """Numbers of trainings after which one looks: from three to all."""
    return range(min(FIRST, total), total + 1)


def limits(total: int, alpha: float = 0.05) -> dict[int, float]:
    """Critical value of Student's t at each look, so that equal arms differ at some look with probability ``alpha``.

    α is spent by the cube of the share of trainings (Kim and DeMets 1987): little at first, where few degrees of
    freedom find nothing, most at the end. The values
    come from simulated trainings, as t at successive looks has no closed form; the first is exact.

    Raises:
        ValueError: fewer than two trainings.
    """
    if total < 2:
        raise ValueError(f"{total} training has no spread; a suite that may stop early needs two, better six or more")
    draws = np.random.default_rng(SEED).standard_normal((PATHS, total))
    going, found, spent = np.ones(PATHS, dtype=bool), dict[int, float](), 0.0
    for n in looks(total):
        t = np.abs(draws[:, :n].mean(1)) / (draws[:, :n].std(1, ddof=1) / math.sqrt(n))
        spend = alpha * (n / total) ** 3
        if not found:
            found[n] = float(stats.t.ppf(1 - spend / 2, n - 1))
        else:
            crossing = round((spend - spent) * PATHS)
            found[n] = float(np.partition(t[going], -crossing - 1)[-crossing - 1])
        going &= t <= found[n]
        spent = 1 - float(going.mean())
    return found


def standard_error(a: Array, b: Array, rate: bool) -> Any:
    """Standard error of the mean difference of ``a`` and ``b`` (…, trainings, scenes).

    A ``rate`` has at least that of its pairs with one made-up pair each way: three trainings that happen to agree in 60
    episodes are not certain.
    """
    variance = 2 * mean_squares(np.stack([a, b], axis=-3)).parts.error ** 2
    if rate:
        variance = np.maximum(variance, pair_variance(a, b))
    return np.sqrt(variance)


def look(a: Array, b: Array, critical: dict[int, float], rate: bool, detect: float) -> Look:
    """Look at two arms after their first trainings, ``a`` and ``b`` (trainings, scenes).

    ``critical`` is :func:`limits` for all trainings; ``detect`` is the difference that the suite was made to find.
    """
    n, total = len(a), max(critical)
    value, error = float((a - b).mean()), float(standard_error(a, b, rate))
    half, most = critical.get(n, math.inf) * error, 1.0 if rate else math.inf  # rates differ by one at most
    difference = Interval(value, max(value - half, -most), min(value + half, most))
    return Look(n, difference, _chance(value, error, n, total, critical[total], detect))


def _chance(value: float, error: float, n: int, total: int, last: float, detect: float) -> float:
    """Conditional power at the last look, in the better of both directions, with the spread as seen so far."""
    if n == total:
        return 0.0
    one = error * math.sqrt(n)  # standard deviation of one training's difference
    left, bar = total - n, last * one * math.sqrt(total)
    if one == 0:
        return 1.0
    reached = (abs(value) * n + left * detect - bar) / (one * math.sqrt(left))
    return float(stats.t.cdf(reached, n - 1))
