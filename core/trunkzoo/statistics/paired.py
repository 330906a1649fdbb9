"""Arms compared in pairs on the same episode seeds: alone, with the trainings of all arms, and corrected for many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from trunkzoo.statistics.comparison import LEVEL, Comparison, Measure
from trunkzoo.statistics.intervals import FEWEST, Interval, Matrix, matrix, newcombe_paired, over_seeds, widest
from trunkzoo.statistics.measures import mean_difference, probability_of_improvement
from trunkzoo.statistics.power import detectable, detectable_range
from trunkzoo.statistics.variance import Pooled, dunnett, holm, pair_variance, pool

DECIMALS = 12  # of a score; sums of equal rewards in another order differ after these, and a tie must stay a tie


def compare(name_a: str, a: ArrayLike, name_b: str, b: ArrayLike, measure: Measure) -> Comparison:
    """Compare score matrices (training seeds, episode seeds) of two arms; column j is the same episode seed.

    Raises:
        ValueError: the shapes differ, a score is NaN, or a success is neither 0 nor 1.
    """
    left, right = _pair(name_a, a, name_b, b, measure)
    wins, losses = int(np.count_nonzero(left > right)), int(np.count_nonzero(left < right))
    p, error, freedom = _tested(left, right, measure, None)
    return Comparison(
        a=name_a,
        b=name_b,
        measure=measure,
        training_seeds=left.shape[0],
        episodes=left.shape[1],
        value_a=float(left.mean()),
        value_b=float(right.mean()),
        difference=_rate_difference(left, right) if measure == "success" else over_seeds(mean_difference, left, right),
        improvement=over_seeds(probability_of_improvement, left, right, low=0.0, high=1.0),
        wins=wins,
        ties=left.size - wins - losses,
        losses=losses,
        p=p,
        **_resolution(error, freedom, measure),
    )


def compare_arms(
    arms: Mapping[str, ArrayLike], pairs: Sequence[tuple[str, str]], measure: Measure
) -> tuple[Comparison, ...]:
    """Compare ``pairs`` of arms; with three arms or more they share the variance of their trainings.

    An arm that is the second of several pairs gets their intervals together (Dunnett) beside each one's own.
    """
    found = tuple(compare(a, arms[a], b, arms[b], measure) for a, b in pairs)
    matrices = {name: matrix(scores).round(DECIMALS) for name, scores in arms.items()}
    if len(matrices) < 3 or any(c.training_seeds < 2 or c.episodes < FEWEST for c in found):
        return found
    pooled, controls = pool(matrices), [b for _, b in pairs]
    return tuple(_with(c, pooled, matrices, controls.count(c.b)) for c in found)


def adjust(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The same comparisons, corrected by Holm for being so many."""
    counted = [c for c in comparisons if c.episodes >= FEWEST]
    adjusted = iter(holm([c.p for c in counted]))
    return tuple(c._replace(adjusted=next(adjusted), family=len(counted)) if c in counted else c for c in comparisons)


def _with(found: Comparison, pooled: Pooled, arms: Mapping[str, Matrix], against: int) -> Comparison:
    p, error, freedom = _tested(arms[found.a], arms[found.b], found.measure, pooled)
    one = float(stats.t.ppf(1 - LEVEL / 2, freedom)) * error
    all_at_once = dunnett(against, freedom) * error

    def around(half: float) -> Interval:
        end = 1.0 if found.measure == "success" else math.inf
        value = found.difference.value
        return Interval(value, max(-end, value - half), min(end, value + half))

    return found._replace(
        p=p,
        arms=len(arms),
        pooled=around(one),
        together=around(all_at_once) if against > 1 else None,
        **_resolution(error, freedom, found.measure),
    )


def _pair(name_a: str, a: ArrayLike, name_b: str, b: ArrayLike, measure: Measure) -> tuple[Matrix, Matrix]:
    left, right = matrix(a).round(DECIMALS), matrix(b).round(DECIMALS)
    if left.shape != right.shape:
        raise ValueError(f"{name_a} has scores {left.shape}, {name_b} {right.shape}: pairs need equal shapes")
    if measure == "success" and not np.isin([left, right], (0, 1)).all():
        raise ValueError("success must be 0 or 1 in every episode")
    return left, right


def _tested(a: Matrix, b: Matrix, measure: Measure, pooled: Pooled | None) -> tuple[float, float, float]:
    """p, standard error and degrees of freedom of the difference; NaN under five episodes.

    Successes have at least the standard error and the p (McNemar's, exact) of as many independent pairs.
    """
    if a.shape[1] < FEWEST:
        return math.nan, math.nan, math.nan
    pooled = pooled or pool({"a": a, "b": b})
    value, error = float((a - b).mean()), pooled.error
    if measure == "success":
        error = max(error, math.sqrt(float(pair_variance(a, b))))
    p = 1.0 if value == 0 else 0.0 if error == 0 else float(2 * stats.t.sf(abs(value) / error, pooled.freedom))
    if measure == "success":
        exact = _mcnemar(a, b)
        p = exact if len(a) == 1 else max(p, exact)
    return p, error, pooled.freedom


def _mcnemar(a: Matrix, b: Matrix) -> float:
    """Exact two-sided p of the pairs that differ."""
    wins, unequal = int(np.count_nonzero(a > b)), int(np.count_nonzero(a != b))
    return float(stats.binomtest(wins, unequal).pvalue) if unequal else 1.0


def _resolution(error: float, freedom: float, measure: Measure) -> dict[str, Any]:
    """What could be found, and how well that is known."""
    if math.isnan(error):
        return {"detectable": math.nan, "detectable_range": (math.nan, math.nan)}
    end = 1.0 if measure == "success" else math.inf
    low, high = detectable_range(error, freedom)
    return {"detectable": min(end, detectable(error, freedom)), "detectable_range": (min(end, low), min(end, high))}


def _rate_difference(a: Matrix, b: Matrix) -> Interval:
    """Newcombe's interval; with several training seeds the wider limits of it and the interval over seeds.

    Newcombe counts all pairs as independent; the other knows the seeds but has no width where all pairs agree.
    """
    both, only_a = np.count_nonzero((a == 1) & (b == 1)), np.count_nonzero(a > b)
    only_b = np.count_nonzero(a < b)
    pairs = newcombe_paired(int(both), int(only_a), int(only_b), int(a.size - both - only_a - only_b))
    return pairs if len(a) == 1 else widest(pairs, over_seeds(mean_difference, a, b, low=-1.0, high=1.0))
