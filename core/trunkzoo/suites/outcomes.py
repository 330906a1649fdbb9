"""Outcomes that see small differences: stages reached, steps to success, held-out action error. As text cells.

Beside them how exactly an agent sees the task's objects, and the entropy of depth attention: whether a trunk made use of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from trunkzoo.statistics import Interval
from trunkzoo.statistics.intervals import matrix, rate_over_trainings, wilson
from trunkzoo.suites.results import ArmResult, TaskResult

NOTHING = "–"


def outcome_table(result: TaskResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and one row per arm and baseline; stages where the task states some."""
    stages = result.plan.stages
    columns = ("arm", *(f"{name} (95 %)" for name in stages), "steps to success", "held-out action error")
    rows = [_row(arm, stages) for arm in result.arms]
    for name, values in _measured_in_some(result.arms):
        columns, rows = (*columns, name), [(*row, value) for row, value in zip(rows, values, strict=True)]
    return columns, rows


def _measured_in_some(arms: Sequence[ArmResult]) -> Iterator[tuple[str, list[str]]]:
    """Columns that few suites have, where an arm has a value."""
    places = [_place(arm) for arm in arms]
    entropies = [None if arm.depth_entropy is None else f"{arm.depth_entropy:.2f}" for arm in arms]
    for name, values in (("place error", places), ("depth entropy", entropies)):
        if any(values):
            yield name, [value or NOTHING for value in values]


def _place(arm: ArmResult) -> str | None:
    if arm.place_error is None or arm.place_guess is None:
        return None
    return f"{100 * arm.place_error:.2f} of {100 * arm.place_guess:.2f} cm"


def outcomes_of(arm: ArmResult, stages: Mapping[str, float]) -> dict[str, Any]:
    """Plain numbers of one arm: shares of episodes by stage with their limits, then what its row has."""
    return {
        "stages": {name: interval.limits() for name, interval in _reached(arm, stages).items()},
        "success_step": _success_step(arm),
        "holdout_error": arm.holdout_error,
        "place_errors": arm.place_errors,
        "place_guess": arm.place_guess,
        "depth_entropy": arm.depth_entropy,
    }


def _row(arm: ArmResult, stages: Mapping[str, float]) -> tuple[str, ...]:
    step, error = _success_step(arm), arm.holdout_error
    return (
        arm.plan.label,
        *(interval.text() for interval in _reached(arm, stages).values()),
        NOTHING if step is None else f"{step:g}",
        NOTHING if error is None else f"{error:.4f}",
    )


def _reached(arm: ArmResult, stages: Mapping[str, float]) -> dict[str, Interval]:
    """Share of episodes in which some step had the reward of a stage."""
    found = {}
    for name, reward in stages.items():
        won = matrix([[float(row["max_reward"] >= reward) for row in rows] for rows in arm.rows])
        found[name] = rate_over_trainings(won) if len(won) > 1 else wilson(int(won.sum()), won.size)
    return found


def _success_step(arm: ArmResult) -> float | None:
    """Median step of the first success, of the episodes that succeed."""
    steps = [row["success_step"] for rows in arm.rows for row in rows if row.get("success_step") is not None]
    return float(median(steps)) if steps else None
