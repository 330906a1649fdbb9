"""What a finished suite found: per arm the numbers of the table, per pair of arms the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from trunkzoo.errors import ZooError
from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.rollouts.scores import summary_of
from trunkzoo.statistics import Comparison, Components, Measure, Summary, adjust
from trunkzoo.suites.comparing import best_arms, compare_task, components_of
from trunkzoo.suites.conditions import require_equal_conditions
from trunkzoo.suites.evaluated import Evaluated, read_runs
from trunkzoo.suites.foreign_results import ForeignResult, read_foreign
from trunkzoo.suites.layout import report_rows
from trunkzoo.suites.plan import ArmPlan, SuitePlan, TaskPlan


@dataclass(frozen=True)
class ArmResult(Evaluated):
    """One arm on one task, over its training seeds."""

    plan: ArmPlan
    sizes: dict[str, Any]
    """Parameters, cond_dim and feature map, from the smoke cell."""
    train_seconds: float
    """Mean wall time of a training."""
    chosen: tuple[int, ...]
    """The checkpoint that is reported for each training seed, by its step."""
    curves: tuple[dict[int, float], ...]
    """Selection score (average reward) by step, per training seed."""
    max_average_reward: float
    """Mean over training seeds of the best selection score: biased upward, never shown alone."""
    latency_ms: float
    """One prediction, measured beside those of the other arms in one process; in suites of old, in its own evaluation."""
    holdout_errors: tuple[float, ...]
    """Of each training the last checkpoint's action error on held-out demonstrations; empty if none were kept."""
    depth_entropies: tuple[float, ...] = ()
    """Of each training the last entropy of its depth attention, 1 for uniform means; empty for trunks without any."""
    place_errors: tuple[float, ...] = ()
    """Of each training how exactly its agent sees the task's objects, m; empty if that was not measured."""
    place_guess: float | None = None
    """How far off a guess at the mean place is, m: what an agent that sees nothing comes to."""
    train_cpu_seconds: float | None = None
    """Mean processor time of a training; None where a training was made before it was kept."""

    @property
    def holdout_error(self) -> float | None:
        """Mean of them over trainings."""
        return _mean(self.holdout_errors) if self.holdout_errors else None

    @property
    def place_error(self) -> float | None:
        """Mean of them over trainings."""
        return _mean(self.place_errors) if self.place_errors else None

    @property
    def depth_entropy(self) -> float | None:
        """Mean of them over trainings."""
        return _mean(self.depth_entropies) if self.depth_entropies else None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers of the table's line."""
        return {
            "arm": self.plan.label,
            "baseline": self.plan.baseline,
            "trunk": self.plan.recipe.trunk.name,
            **{key: self.sizes[key] for key in ("parameters", "trunk_parameters", "head_parameters", "cond_dim")},
            "steps": self.plan.recipe.train.steps,
            "train_seconds": self.train_seconds,
            "train_cpu_seconds": self.train_cpu_seconds,
            "chosen": self.chosen,
            "curves": self.curves,
            "max_average_reward": self.max_average_reward,
            "latency_ms": self.latency_ms,
            **self.scores(),
        }


@dataclass(frozen=True)
class TaskResult:
    """Everything on one task."""

    plan: TaskPlan
    arms: tuple[ArmResult, ...]
    floors: dict[str, tuple[Row, ...]]
    comparisons: tuple[Comparison, ...]
    """Every arm that names a control with that one, then every later arm with the first."""
    foreign: tuple[ForeignResult, ...] = ()

    @cached_property
    def floor_summaries(self) -> dict[str, Summary]:
        """Success and rewards of the floors and of the expert."""
        return {name: summary_of(rows) for name, rows in self.floors.items()}

    @property
    def best(self) -> dict[Measure, tuple[str, ...]]:
        """By measure the arms among which the best one is, at 95 %."""
        return best_arms(self.arms)

    @property
    def components(self) -> dict[Measure, Components]:
        """By measure what moves a score: the training, the scene, the rest. Empty for one training."""
        return components_of(self.arms)

    def to_dict(self) -> dict[str, Any]:
        """Everything that the table and the sentences say, as plain numbers."""
        return {
            "task": self.plan.name,
            "arms": [arm.to_dict() for arm in self.arms],
            "foreign": [it.to_dict() for it in self.foreign],
            "floors": {name: summary.to_dict() for name, summary in self.floor_summaries.items()},
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "best": self.best,
            "components": {measure: found.to_dict() for measure, found in self.components.items()},
        }


def read_results(plan: SuitePlan) -> tuple[TaskResult, ...]:
    """Read the results of a finished suite; Holm's correction is over the comparisons of all its tasks.

    Raises:
        ZooError: a cell has no result yet.
    """
    results = [_task(task) for task in plan.tasks]
    adjusted = iter(adjust([comparison for result in results for comparison in result.comparisons]))
    return tuple(replace(result, comparisons=tuple(islice(adjusted, len(result.comparisons)))) for result in results)


def _task(task: TaskPlan) -> TaskResult:
    together = (task.latency.done() or {}).get("latency_ms", {})
    arms = tuple(_arm(arm, together.get(arm.label)) for arm in task.arms)
    _require_equal_budgets(arms)
    floors = {}
    for name, cell in task.floors.items():
        cell.result()
        floors[name] = tuple(read_rows(report_rows(cell.directory, name)))
    agents = [(cell, rows) for arm in arms for cell, rows in zip(arm.plan.evaluations, arm.rows, strict=True)]
    foreign = tuple(read_foreign(it) for it in task.foreign)
    agents += [(cell, rows) for it in foreign for cell, rows in zip(it.plan.evaluations, it.rows, strict=True)]
    require_equal_conditions([*agents, *((task.floors[name], rows) for name, rows in floors.items())])
    return TaskResult(task, arms, floors, compare_task(arms), foreign)


def _arm(plan: ArmPlan, latency_ms: float | None) -> ArmResult:
    results = [cell.result() for cell in plan.evaluations]
    trained = [cell.result() for cell in plan.trains]
    spent = _known(trained, "train_cpu_seconds")
    curves = tuple({int(step): float(score) for step, score in found["selection"].items()} for found in results)
    return ArmResult(
        plan=plan,
        sizes=plan.smoke.result(),
        train_seconds=_mean([found["train_seconds"] for found in trained]),
        train_cpu_seconds=_mean(spent) if len(spent) == len(trained) else None,
        chosen=tuple(found["chosen"] for found in results),
        curves=curves,
        max_average_reward=_mean([max(curve.values()) for curve in curves]),
        latency_ms=_mean([found["latency_ms"] for found in results]) if latency_ms is None else latency_ms,
        holdout_errors=_known(trained, "holdout_error"),
        depth_entropies=_known(trained, "depth_entropy"),
        place_errors=_known(results, "place_error"),
        place_guess=next(iter(_known(results, "place_guess")), None),
        **read_runs(plan.evaluations),
    )


def _require_equal_budgets(arms: Sequence[ArmResult]) -> None:
    """Refuse to compare arms that had unequal chances.

    Raises:
        ZooError: trainings, checkpoints or episodes differ; the message shows both arms.
    """
    for arm in arms[1:]:
        for what, mine, first in zip(
            ("trainings", "checkpoints", "episodes"), _budget(arm), _budget(arms[0]), strict=True
        ):
            if mine != first:
                raise ZooError(
                    f"{arm.plan.label} had {what} {mine}, {arms[0].plan.label} {first}: unequal budgets are not compared"
                )


def _budget(arm: ArmResult) -> tuple[int, list[list[int]], list[list[int]]]:
    checkpoints = [sorted(curve) for curve in arm.curves]
    episodes = [sorted(int(row["seed"]) for row in rows) for rows in arm.rows]
    return len(arm.curves), checkpoints, episodes


def _known(results: Sequence[dict[str, Any]], name: str) -> tuple[float, ...]:
    return tuple(float(found[name]) for found in results if found.get(name) is not None)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
