"""Arms compared in pairs on the same episode seeds: alone, with the trainings of all arms, and corrected for many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from trunkzoo.statistics.comparison import Comparison, Measure
from trunkzoo.statistics.intervals import FEWEST_EPISODES, Interval, Matrix, bootstrap, matrix, newcombe_paired
from trunkzoo.statistics.measures import mean_difference, probability_of_improvement
from trunkzoo.statistics.power import detectable, detectable_range
from trunkzoo.statistics.variance import Parts, Pooled, dunnett, holm, pair_variance, pool

DECIMALS = 12  # of a score; sums of equal rewards in another order differ after these, and a tie must stay a tie


def compare(name_a: str, a: ArrayLike, name_b: str, b: ArrayLike, measure: Measure) -> Comparison:
    """Compare score matrices (training seeds, episode seeds) of two arms; column j is the same episode seed.

    Raises:
        ValueError: the shapes differ, a score is NaN, or a success is neither 0 nor 1.
    """
    left, right = _pair(name_a, a, name_b, b, measure)
    wins, losses = int(np.count_nonzero(left > right)), int(np.count_nonzero(left < right))
    enough = left.shape[1] >= FEWEST_EPISODES
    parts = _parts(left, right, measure, pool({name_a: left, name_b: right})) if enough else None
    return Comparison(
        a=name_a,
        b=name_b,
        measure=measure,
        training_seeds=left.shape[0],
        episodes=left.shape[1],
        value_a=float(left.mean()),
        value_b=float(right.mean()),
        difference=_difference(left, right, measure, parts),
        improvement=float(probability_of_improvement(left.ravel(), right.ravel())),
        wins=wins,
        ties=left.size - wins - losses,
        losses=losses,
        p=_p(left, right, measure, parts),
        **_resolution(parts, measure),
    )


def compare_arms(
    arms: Mapping[str, ArrayLike], pairs: Sequence[tuple[str, str]], measure: Measure
) -> tuple[Comparison, ...]:
    """Compare ``pairs`` of arms; with three arms or more they share the variance of their trainings.

    An arm that is the second of several pairs gets their intervals together (Dunnett) beside each one's own.
    """
    found = tuple(compare(a, arms[a], b, arms[b], measure) for a, b in pairs)
    matrices = {name: matrix(scores).round(DECIMALS) for name, scores in arms.items()}
    if len(matrices) < 3 or any(c.training_seeds < 2 or c.episodes < FEWEST_EPISODES for c in found):
        return found
    pooled, controls = pool(matrices), [b for _, b in pairs]
    return tuple(_with(c, pooled, matrices, controls.count(c.b)) for c in found)


def adjust(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The same comparisons, corrected by Holm for being so many."""
    counted = [c for c in comparisons if c.episodes >= FEWEST_EPISODES]
    adjusted = iter(holm([c.p for c in counted]))
    return tuple(c._replace(adjusted=next(adjusted), family=len(counted)) if c in counted else c for c in comparisons)


def _with(found: Comparison, pooled: Pooled, arms: Mapping[str, Matrix], against: int) -> Comparison:
    a, b, measure = arms[found.a], arms[found.b], found.measure
    parts = _parts(a, b, measure, pooled)
    all_at_once = dunnett(against, pooled.df) * float(parts.error)
    return found._replace(
        p=_p(a, b, measure, parts),
        arms=len(arms),
        pooled=_around(found.difference.value, float(parts.half()), measure),
        together=_around(found.difference.value, all_at_once, measure) if against > 1 else None,
        **_resolution(parts, measure),
    )


def _around(value: float, half: float, measure: Measure) -> Interval:
    end = 1.0 if measure == "success" else math.inf
    return Interval(value, max(-end, value - half), min(end, value + half))


def _pair(name_a: str, a: ArrayLike, name_b: str, b: ArrayLike, measure: Measure) -> tuple[Matrix, Matrix]:
    left, right = matrix(a).round(DECIMALS), matrix(b).round(DECIMALS)
    if left.shape != right.shape:
        raise ValueError(f"{name_a} has scores {left.shape}, {name_b} {right.shape}: pairs need equal shapes")
    if measure == "success" and not np.isin([left, right], (0, 1)).all():
        raise ValueError("success must be 0 or 1 in every episode")
    return left, right


def _parts(a: Matrix, b: Matrix, measure: Measure, pooled: Pooled) -> Parts:
    """Standard error of the difference by its sources.

    That of successes is at least that of as many independent pairs: trainings that happen to agree are not certain.
    """
    parts = pooled.parts
    return parts.at_least(math.sqrt(float(pair_variance(a, b)))) if measure == "success" else parts


def _p(a: Matrix, b: Matrix, measure: Measure, parts: Parts | None) -> float:
    """Two-sided p; of successes at least McNemar's exact one, which is the whole of it for one training."""
    if parts is None:
        return math.nan
    p = parts.p(float((a - b).mean()))
    if measure == "success":
        return _mcnemar(a, b) if len(a) == 1 else max(p, _mcnemar(a, b))
    return p


def _mcnemar(a: Matrix, b: Matrix) -> float:
    """Exact two-sided p of the pairs that differ."""
    wins, unequal = int(np.count_nonzero(a > b)), int(np.count_nonzero(a != b))
    return float(stats.binomtest(wins, unequal).pvalue) if unequal else 1.0


def _resolution(parts: Parts | None, measure: Measure) -> dict[str, Any]:
    """What could be found, and how well that is known."""
    if parts is None:
        return {"detectable": math.nan, "detectable_range": (math.nan, math.nan)}
    end = 1.0 if measure == "success" else math.inf
    low, high = detectable_range(float(parts.error), parts.freedom)
    found = detectable(float(parts.error), parts.freedom)
    return {"detectable": min(end, found), "detectable_range": (min(end, low), min(end, high))}


def _difference(a: Matrix, b: Matrix, measure: Measure, parts: Parts | None) -> Interval:
    """The pair's own interval: of one training Newcombe's or the bootstrap's, of several by their sources of variance."""
    value = float((a - b).mean())
    if len(a) > 1:
        return Interval(value, math.nan, math.nan) if parts is None else _around(value, float(parts.half()), measure)
    if measure != "success":
        return bootstrap(mean_difference, a, b)
    both, only_a, only_b = (int(np.count_nonzero(x)) for x in ((a == 1) & (b == 1), a > b, a < b))
    return newcombe_paired(both, only_a, only_b, a.size - both - only_a - only_b)
