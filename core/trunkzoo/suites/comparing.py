"""Which arms of a task are compared, and what their scores say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from trunkzoo.rollouts.rows import Row
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Comparison, Components, Measure, compare_arms, components, pool
from trunkzoo.statistics.intervals import FEWEST_EPISODES, Matrix
from trunkzoo.suites.plan import ArmPlan

MEASURES: tuple[tuple[Measure, str], ...] = (("success", "success"), ("average reward", "average_reward"))


class Scored(Protocol):
    """An arm with its report rows."""

    @property
    def plan(self) -> ArmPlan:
        """Which arm it is."""
        ...

    @property
    def rows(self) -> Sequence[Sequence[Row]]:
        """Report rows per training seed."""
        ...


def pairs_of(controls: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs to compare from each arm's control (empty for none), in the order of the arms.

    First every treatment with its control, which differs from it in the treatment alone; then every later arm with the
    first, unless that is such a pair turned round. A control that is not there, left out of a run, makes no pair.
    """
    first, *others = controls
    treated = [(arm, control) for arm, control in controls.items() if control in controls]
    return treated + [(arm, first) for arm in others if {(arm, first), (first, arm)}.isdisjoint(treated)]


def compare_task(arms: Sequence[Scored]) -> tuple[Comparison, ...]:
    """The comparisons of one task, pair by pair in both measures; baselines stand beside and are not compared."""
    plans = [arm.plan for arm in arms if not arm.plan.baseline]
    if not plans:
        return ()
    pairs = pairs_of({plan.label: plan.control for plan in plans})
    found = [compare_arms(_scores(arms, field), pairs, measure) for measure, field in MEASURES]
    return tuple(comparison for both_measures in zip(*found, strict=True) for comparison in both_measures)


def best_arms(arms: Sequence[Scored]) -> dict[Measure, tuple[str, ...]]:
    """By measure the arms among which the best one is, at 95 % (Hsu); empty where there is nothing to choose from."""
    found = {measure: _scores(arms, field) for measure, field in MEASURES}
    return {
        measure: pool(by_arm).best()
        for measure, by_arm in found.items()
        if len(by_arm) > 1 and next(iter(by_arm.values())).shape[1] >= FEWEST_EPISODES
    }


def components_of(arms: Sequence[Scored]) -> dict[Measure, Components]:
    """By measure the variance components of one score, pooled over the arms."""
    found = {measure: components(list(_scores(arms, field).values())) for measure, field in MEASURES}
    return {measure: found_components for measure, found_components in found.items() if found_components is not None}


def _scores(arms: Sequence[Scored], field: str) -> dict[str, Matrix]:
    return {arm.plan.label: scores(arm.rows, field) for arm in arms if not arm.plan.baseline}
