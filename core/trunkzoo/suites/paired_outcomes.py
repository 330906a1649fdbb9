"""Two arms scene by scene in what sees finer than success: stages reached, best reward, steps to success."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from trunkzoo.rollouts.rows import Row
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Interval, compare
from trunkzoo.statistics.intervals import Matrix, student
from trunkzoo.suites.outcomes import NOTHING
from trunkzoo.suites.results import TaskResult

Runs = Sequence[Sequence[Row]]


def outcome_differences(a: Runs, b: Runs, stages: Mapping[str, float]) -> dict[str, Interval]:
    """a − b by outcome with 95 % limits: shares of episodes that reach a stage, best reward, control steps to success.

    Steps are of scenes that both agents of a training seed solve, Student's interval over the seeds; without such a scene
    all its numbers are NaN.
    """
    left, right = scores(a, "max_reward"), scores(b, "max_reward")
    reached = {name: _share(left, right, reward) for name, reward in stages.items()}
    best = compare("a", left, "b", right, "average reward").difference
    return {**reached, "best reward": best, "steps to success": _steps(a, b)}


def paired_table(result: TaskResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and one row per pair of arms that the task compares; no rows where it compares none."""
    found = _by_pair(result)
    names = ("difference", *(f"{name} (95 %)" for name in next(iter(found.values()), ())))
    return names, [(f"{a} − {b}", *map(_text, of.items())) for (a, b), of in found.items()]


def paired_numbers(result: TaskResult) -> list[dict[str, Any]]:
    """The same as plain numbers: ``a``, ``b`` and ``[value, low, high]`` by outcome."""
    return [
        {"a": a, "b": b, "outcomes": {name: interval.limits() for name, interval in of.items()}}
        for (a, b), of in _by_pair(result).items()
    ]


def _by_pair(result: TaskResult) -> dict[tuple[str, str], dict[str, Interval]]:
    rows, stages = {arm.plan.label: arm.rows for arm in result.arms}, result.plan.stages
    pairs = dict.fromkeys((c.a, c.b) for c in result.comparisons)  # each is there in two measures
    return {(a, b): outcome_differences(rows[a], rows[b], stages) for a, b in pairs}


def _text(outcome: tuple[str, Interval]) -> str:
    name, interval = outcome
    if math.isnan(interval.value):
        return NOTHING
    return interval.text(1 if name == "steps to success" else interval.digits, signed=True)


def _share(left: Matrix, right: Matrix, least: float) -> Interval:
    """Difference in the share of episodes whose best reward is that of a stage or more."""
    return compare("a", (left >= least).astype(float), "b", (right >= least).astype(float), "success").difference


def _by_seed(run: Sequence[Row]) -> list[Row]:
    return sorted(run, key=lambda row: int(row["seed"]))


def _steps(a: Runs, b: Runs) -> Interval:
    means = [_mean_step(left, right) for left, right in zip(a, b, strict=True)]
    known = [mean for mean in means if mean is not None]
    return student(known) if known else Interval(math.nan, math.nan, math.nan)


def _mean_step(left: Sequence[Row], right: Sequence[Row]) -> float | None:
    """Mean difference in steps over the scenes that both solve; None without any, or in rows that do not tell steps."""
    pairs = [[row.get("success_step") for row in both] for both in zip(_by_seed(left), _by_seed(right), strict=True)]
    steps = [float(x - y) for x, y in pairs if x is not None and y is not None]
    return fmean(steps) if steps else None
