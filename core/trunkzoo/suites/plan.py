"""A planned suite: arms, tasks and training seeds, each with its cells."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trunkzoo.registry.recipe import Recipe
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.config import SuiteConfig


@dataclass(frozen=True)
class ArmPlan:
    """One arm on one task: its recipe, and its cells for every training seed."""

    label: str
    baseline: bool
    control: str
    """Label of the arm that differs in the treatment alone; empty if none was named."""
    recipe: Recipe
    smoke: Cell
    trains: tuple[Cell, ...]
    evaluations: tuple[Cell, ...]


@dataclass(frozen=True)
class ForeignPlan:
    """A policy of another package on one task: trained by its own command, played by a plugin's policy."""

    label: str
    policy: str
    """The policy record that plays it."""
    trains: tuple[Cell, ...]
    evaluations: tuple[Cell, ...]


@dataclass(frozen=True)
class TaskPlan:
    """Everything on one task."""

    name: str
    collects: tuple[Cell, ...]
    """The demonstrations of every training seed; one cell serves several seeds where they share a set."""
    arms: tuple[ArmPlan, ...]
    floors: dict[str, Cell]
    latency: Cell
    """Measures all arms in one process, in turns."""
    stages: Mapping[str, float]
    """The task's own, by the reward that shows them."""
    foreign: tuple[ForeignPlan, ...] = ()

    @property
    def trained(self) -> tuple[ArmPlan | ForeignPlan, ...]:
        """All that is trained: arms, then what other packages train."""
        return (*self.arms, *self.foreign)

    def first(self, trainings: int) -> TaskPlan:
        """The cells of the first training seeds."""
        arms = [
            replace(arm, trains=arm.trains[:trainings], evaluations=arm.evaluations[:trainings]) for arm in self.arms
        ]
        foreign = [
            replace(it, trains=it.trains[:trainings], evaluations=it.evaluations[:trainings]) for it in self.foreign
        ]
        return replace(self, collects=self.collects[:trainings], arms=tuple(arms), foreign=tuple(foreign))


@dataclass(frozen=True)
class SuitePlan:
    """A suite, resolved: every cell with all that decides it."""

    name: str
    config: SuiteConfig
    directory: Path
    tasks: tuple[TaskPlan, ...]

    def first(self, trainings: int) -> SuitePlan:
        """The same suite with its first training seeds alone; the cells are the same ones."""
        seeds = self.config.training_seeds[:trainings]
        config = self.config.model_copy(update={"training_seeds": seeds})
        return replace(self, config=config, tasks=tuple(task.first(trainings) for task in self.tasks))

    def stages(self) -> dict[str, list[Cell]]:
        """The cells in stages; a stage needs nothing but the stages before it."""
        arms = [arm for task in self.tasks for arm in task.arms]
        return {
            "smoke": _distinct([arm.smoke for arm in arms]),
            "collect": _distinct([cell for task in self.tasks for cell in task.collects]),
            "train": _distinct(_seed_by_seed([it.trains for task in self.tasks for it in task.trained])),
            "evaluate": [
                *_seed_by_seed([it.evaluations for task in self.tasks for it in task.trained]),
                *(cell for task in self.tasks for cell in task.floors.values()),
                *(task.latency for task in self.tasks),
            ],
        }


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    return list({cell.key: cell for cell in cells}.values())


def _seed_by_seed(cells_of_arms: Sequence[Sequence[Cell]]) -> list[Cell]:
    """Every arm's first training seed, then every arm's second: a suite that stops early stops evenly."""
    return [cell for of_one_seed in zip(*cells_of_arms, strict=True) for cell in of_one_seed]


def seeds_of(first_and_count: Sequence[int]) -> range:
    """Episode seeds from ``[first, count]``."""
    first, count = first_and_count
    return range(first, first + count)


def every_cell(plan: SuitePlan) -> list[Cell]:
    """All cells of a suite, stage by stage."""
    return [cell for cells in plan.stages().values() for cell in cells]


def wanted_data(plan: SuitePlan, published: Container[str] = ()) -> set[str]:
    """Keys of the demonstrations that a training still needs; one that is done or ``published`` needs none."""
    trains = [train for task in plan.tasks for trained in task.trained for train in trained.trains]
    return {str(train.inputs["data"]) for train in trains if train.key not in published and train.done() is None}
