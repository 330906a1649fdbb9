"""Intervals: Wilson's for a rate, Newcombe's for a paired difference of rates, Student's, and the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from trunkzoo.statistics.variance import mean_squares

Matrix = NDArray[np.float64]
RESAMPLES = 4999  # the Monte-Carlo error of a 95 % limit is then about 2 % of the interval's width
BOOTSTRAP_SEED = 20_250
ROUNDING = 1e-9  # smaller differences are the rounding errors of equal numbers
FEWEST_EPISODES = 5  # episodes; resamples of fewer have no tails, and an interval from them would claim far too much


class Interval(NamedTuple):
    """An estimate between its limits; the limits are NaN where there is too little data to have any."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 2, signed: bool = False) -> str:
        """Return ``0.65 [0.43, 0.82]``; ``signed`` writes the plus signs of a difference."""
        sign = "+" if signed else ""
        value, low, high = (f"{0.0 if abs(x) < ROUNDING else x:{sign}.{digits}f}" for x in self)
        return value if math.isnan(self.low) else f"{value} [{low}, {high}]"

    @property
    def digits(self) -> int:
        """Digits behind the point: two, or as many as a narrow interval needs to show how wide it is."""
        width = self.high - self.low
        return 1 - math.floor(math.log10(width)) if ROUNDING < width < 0.1 else 2

    def limits(self) -> list[float | None]:
        """``[value, low, high]`` for JSON, which knows no NaN."""
        return [None if math.isnan(x) else x for x in self]


def normal_quantile(confidence: float) -> float:
    """Two-sided standard normal quantile: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a rate (Wilson 1927; Brown, Cai and DasGupta 2001 recommend it for small n).

    Raises:
        ValueError: ``n`` is not positive, or ``successes`` is outside 0…n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} episodes: need n ≥ 1 and 0 ≤ successes ≤ n")
    return wilson_effective(successes / n, n, confidence)


def wilson_effective(rate: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a rate with the precision of ``n`` independent episodes, which need not be whole."""
    z = normal_quantile(confidence)
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if rate == 0 else centre - half  # exact at the ends, where rounding leaves 1e-17
    high = 1.0 if rate == 1 else centre + half
    return Interval(rate, low, high)


def newcombe_paired(both: int, only_a: int, only_b: int, neither: int, confidence: float = 0.95) -> Interval:
    """Difference of two rates on the same episodes: Newcombe (1998, Stat. Med. 17:2635), method 10.

    Built from the two Wilson intervals and the correlation φ of the pairs, it stays honest where every pair agrees.
    """
    n = both + only_a + only_b + neither
    a, b = wilson(both + only_a, n, confidence), wilson(both + only_b, n, confidence)
    phi = _phi(both, only_a, only_b, neither)
    below = _add(a.value - a.low, b.high - b.value, phi)
    above = _add(a.high - a.value, b.value - b.low, phi)
    difference = a.value - b.value
    return Interval(difference, difference - below, difference + above)


def _phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlation of the pairs with Newcombe's continuity correction; 0 where a margin is empty."""
    n = both + only_a + only_b + neither
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    covariance = float(both * neither - only_a * only_b)
    if covariance > 0:
        covariance = max(0.0, covariance - n / 2)
    return covariance / math.sqrt(product) if product else 0.0


def _add(x: float, y: float, phi: float) -> float:
    return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))


def widest(first: Interval, *others: Interval) -> Interval:
    """The value of the first between the lowest and the highest limits of all; limits that are NaN do not count."""
    known = [interval for interval in (first, *others) if not math.isnan(interval.low)]
    if not known:
        return first
    return Interval(first.value, min(i.low for i in known), max(i.high for i in known))


def matrix(scores: ArrayLike) -> Matrix:
    """Scores as float64 (training seeds, episode seeds).

    Raises:
        ValueError: there are none, a score is no finite number, or there are more than two axes.
    """
    found = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if found.ndim != 2 or not found.size:
        raise ValueError(f"scores of shape {np.shape(scores)}: need (training seeds, episode seeds), one at least")
    if not np.isfinite(found).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(found))} of {found.size} scores are NaN or infinite")
    return found


def student(values: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean of independent values; of one value without limits."""
    found = np.asarray(values, dtype=np.float64)
    value = float(found.mean())
    if len(found) < 2:
        return Interval(value, math.nan, math.nan)
    half = float(stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / math.sqrt(len(found)))
    return Interval(value, value - half, value + half)


def over_trainings(scores: Matrix) -> Interval:
    """Interval of the mean of one arm (trainings, scenes), both taken as random; see :meth:`Parts.half`.

    With few trainings a limit may lie outside the range of the scores. Under five episodes: NaN limits.
    """
    value = float(scores.mean())
    if scores.shape[1] < FEWEST_EPISODES:
        return Interval(value, math.nan, math.nan)
    half = float(mean_squares(scores[None], centre=False).parts.half())
    return Interval(value, value - half, value + half)


def rate_over_trainings(won: Matrix) -> Interval:
    """Interval of a success rate (trainings, scenes): Wilson's for as many episodes as the rate is worth.

    A scene is hard for all trainings and a training good in all scenes, so S × E episodes are worth fewer: as many as would
    give the half width of :func:`over_trainings` (an effective sample size, Kish 1965). Where all agree, the scenes count
    once.
    """
    value, (trainings, scenes) = float(won.mean()), won.shape
    half = float(mean_squares(won[None], centre=False).parts.half()) if scenes > 1 else 0.0
    worth = value * (1 - value) * (normal_quantile(0.95) / half) ** 2 if half else float(scenes)
    return wilson_effective(value, min(worth, float(trainings * scenes)))


def bootstrap(
    statistic: Callable[..., Any], *scores: ArrayLike, confidence: float = 0.95, seed: int = BOOTSTRAP_SEED
) -> Interval:
    """Percentile bootstrap of ``statistic`` over training seeds and episode seeds (scipy draws the resamples).

    Every matrix of ``scores`` is (S, E); rows and columns are drawn with replacement, independently of each other and
    alike for all matrices, so pairs stay together (Owen 2007, the pigeonhole bootstrap). With few training seeds the
    interval is too narrow: :func:`~trunkzoo.statistics.middle.middle` makes up for that.

    ``statistic`` gets each resample flattened, (…, S·E), and reduces the last axis. Under five episodes: NaN limits.
    """
    matrices = [matrix(s) for s in scores]
    if len({m.shape for m in matrices}) != 1:
        raise ValueError(f"scores of shapes {[m.shape for m in matrices]}: pairs need equal shapes")
    value = float(statistic(*(m.ravel() for m in matrices)))
    if matrices[0].shape[1] < FEWEST_EPISODES:
        return Interval(value, math.nan, math.nan)
    limits = _resample(statistic, matrices, confidence, seed).confidence_interval
    return Interval(value, float(limits.low), float(limits.high))


def _resample(statistic: Callable[..., Any], matrices: list[Matrix], confidence: float, seed: int) -> Any:
    """Bootstrap the row and column NUMBERS, which keeps every matrix aligned; one row is no sample of rows."""
    indices = [np.arange(size) for size in matrices[0].shape if size > 1]

    def of_indices(*drawn: NDArray[np.int64], axis: int = -1) -> Any:
        columns = drawn[-1]  # (…, E)
        rows = drawn[0] if len(drawn) == 2 else np.zeros_like(columns[..., :1])  # (…, S)
        pairs = (*columns.shape[:-1], -1)
        return statistic(*(m[rows[..., :, None], columns[..., None, :]].reshape(pairs) for m in matrices))

    return stats.bootstrap(
        indices,
        of_indices,
        n_resamples=RESAMPLES,
        batch=250,  # bounds the memory of 3 × 500 episodes to a few megabytes
        vectorized=True,
        method="percentile",
        confidence_level=confidence,
        random_state=np.random.default_rng(seed),
    )
