"""The smallest difference that a number of trainings and episodes can detect, and how many a stated one needs."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

from scipy import optimize, stats

from trunkzoo.statistics.intervals import normal_quantile

CONFIDENCE = 0.95
POWER = 0.8
MOST = 2000  # trainings; a difference that needs more is out of reach


class Spread(NamedTuple):
    """What moves the difference of two arms: standard deviations over trainings and, in one training, over episodes."""

    training: float
    episode: float

    def error(self, trainings: int, episodes: int) -> float:
        """Standard error of the difference of two arms."""
        return math.sqrt((self.training**2 + self.episode**2 / episodes) / trainings)


def detectable(error: float, freedom: float, confidence: float = CONFIDENCE, power: float = POWER) -> float:
    """Smallest true difference that a two-sided t test finds with probability ``power``.

    ``error`` is the standard error of the difference; exact, by the noncentral t distribution.
    """
    return _noncentrality(freedom, confidence, power) * error if error else 0.0


@cache
def _noncentrality(freedom: float, confidence: float, power: float) -> float:
    """:func:`detectable` in units of the standard error."""
    critical = stats.t.ppf(0.5 + confidence / 2, freedom)

    def shortfall(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, freedom, noncentrality)) - power  # the wrong direction adds under 1e-5

    upper = 4.0 * (critical + NormalDist().inv_cdf(power))  # enough even at one degree, where the power grows slowly
    return float(optimize.brentq(shortfall, 0.0, upper))


def detectable_range(error: float, freedom: float) -> tuple[float, float]:
    """Where :func:`detectable` may lie, 80 %: a standard error of few degrees of freedom is itself a guess."""
    found = detectable(error, freedom)
    low, high = (found * math.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (0.9, 0.1))
    return low, high


def detectable_mean(deviation: float, n: int, confidence: float = CONFIDENCE, power: float = POWER) -> float:
    """:func:`detectable` of ``n`` paired differences of standard deviation ``deviation``; NaN for n < 2."""
    return math.nan if n < 2 else detectable(deviation / math.sqrt(n), n - 1, confidence, power)


def detectable_rate(rate: float, n: int, confidence: float = CONFIDENCE, power: float = POWER) -> float:
    """Smallest difference of two success rates near ``rate`` that ``n`` unpaired episodes per arm detect.

    The planning formula (z₁₋α⸝₂ + z_power) · √(2 p (1 − p) / n): 0.13 for 200 episodes at 0.65.
    """
    return (normal_quantile(confidence) + NormalDist().inv_cdf(power)) * math.sqrt(2 * rate * (1 - rate) / n)


def trainings_needed(difference: float, spread: Spread, episodes: int, arms: int = 2) -> int | None:
    """Fewest paired trainings that find ``difference`` four times in five; None if 2000 do not.

    ``arms`` pool their training variance: (arms − 1)(S − 1) degrees of freedom.

    Raises:
        ValueError: the difference is not positive.
    """
    if difference <= 0:
        raise ValueError(f"a difference of {difference:g} cannot be planned for; it must be over 0")

    def finds(trainings: int) -> bool:
        return detectable(spread.error(trainings, episodes), (arms - 1) * (trainings - 1)) <= difference

    if not finds(MOST):
        return None
    low, high = 1, MOST  # one training finds nothing
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle, high)
    return high
