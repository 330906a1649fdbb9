"""From a suite's table to its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue, Found
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import UsageError
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry import Registry
from trunkzoo.registry.recipe import Part, Recipe, check_task, part_config
from trunkzoo.rollouts.seeds import REPORT_SEEDS, SELECTION_SEEDS
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.config import ArmConfig, SuiteConfig, SuiteTask
from trunkzoo.suites.layout import CELLS

FLOORS = ("noop", "random", "expert")
EVERY = 1_000_000  # checkpoints kept: a stop adds one of its own, and none of the scheduled ones may make room for it


@dataclass(frozen=True)
class ArmPlan:
    """One arm on one task: its recipe, and its cells for every training seed."""

    label: str
    baseline: bool
    recipe: Recipe
    smoke: Cell
    trains: tuple[Cell, ...]
    evaluations: tuple[Cell, ...]


@dataclass(frozen=True)
class TaskPlan:
    """Everything on one task."""

    name: str
    collect: Cell
    arms: tuple[ArmPlan, ...]
    floors: dict[str, Cell]


@dataclass(frozen=True)
class SuitePlan:
    """A suite, resolved: every cell with all that decides it."""

    name: str
    config: SuiteConfig
    directory: Path
    tasks: tuple[TaskPlan, ...]

    def stages(self) -> dict[str, list[Cell]]:
        """The cells in stages; a stage needs nothing but the stages before it."""
        arms = [arm for task in self.tasks for arm in task.arms]
        return {
            "smoke": _distinct([arm.smoke for arm in arms]),
            "collect": [task.collect for task in self.tasks],
            "train": _seed_by_seed([arm.trains for arm in arms]),
            "evaluate": [
                *_seed_by_seed([arm.evaluations for arm in arms]),
                *(cell for task in self.tasks for cell in task.floors.values()),
            ],
        }


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    return list({cell.key: cell for cell in cells}.values())


def _seed_by_seed(cells_of_arms: Sequence[Sequence[Cell]]) -> list[Cell]:
    """Every arm's first training seed, then every arm's second: a suite that stops early stops evenly."""
    return [cell for of_one_seed in zip(*cells_of_arms, strict=True) for cell in of_one_seed]


def load_suite(registry: Registry, name: str) -> SuiteConfig:
    """The suite ``name`` of registry.toml.

    Raises:
        UsageError: there is no such suite.
        ConfigError: a value breaks the schema.
    """
    return parse(SuiteConfig, registry.suite(name), f"suites.{name}")


def plan_suite(
    name: str, registry: Registry, catalogue: Catalogue, directory: Path, only: Sequence[str] = (), parallel: int = 2
) -> SuitePlan:
    """Resolve a suite; ``only`` keeps the arms that match one of these patterns.

    Raises:
        UsageError: an unknown suite, recipe, setting or task, or a pattern without an arm.
        ContractError: a recipe and a task disagree.
    """
    config = load_suite(registry, name)
    planner = _Planner(config, registry, catalogue, directory / CELLS, parallel)
    return SuitePlan(name, config, directory, tuple(planner.task(task, only) for task in config.tasks))


class _Planner:
    """Makes cells."""

    def __init__(
        self, config: SuiteConfig, registry: Registry, catalogue: Catalogue, home: Path, parallel: int
    ) -> None:
        self._config, self._registry, self._catalogue = config, registry, catalogue
        self._home, self._parallel = home, parallel

    def task(self, task: SuiteTask, only: Sequence[str]) -> TaskPlan:
        """All cells of one task."""
        found = self._catalogue.task(task.name)
        settings = part_config(Part(name=found.id, config=task.config), found.spec.config, found.spec.defaults, "task")
        part = Part(name=found.id, config=settings.model_dump(mode="json"))
        demonstrations = {"episodes": task.demonstrations, "first_seed": task.first_seed}
        inputs = {"task": part.model_dump(mode="json"), **demonstrations}
        inputs |= self._versions(found)
        collect = Cell("collect", f"{found.spec.name}-{task.demonstrations}", inputs, self._home, self._parallel)
        chosen = [(arm, False) for arm in self._config.arms] + [(arm, True) for arm in self._config.baselines]
        chosen = [(arm, baseline) for arm, baseline in chosen if _wanted(arm.label, only)]
        if not chosen:
            labels = ", ".join(arm.label for arm in (*self._config.arms, *self._config.baselines))
            raise UsageError(f"--only {' '.join(only)} matches no arm; this suite has {labels}")
        arms = tuple(self._arm(arm, baseline, part, found.spec.name, collect) for arm, baseline in chosen)
        return TaskPlan(found.id, collect, arms, self._floors(part, found))

    def _arm(self, arm: ArmConfig, baseline: bool, task: Part, short: str, collect: Cell) -> ArmPlan:
        recipe, find = self._recipe(arm, task), self._catalogue
        versions = self._versions(find.trunk(recipe.trunk.name), find.head(recipe.head.name), find.task(task.name))
        inputs = {"recipe": _essence(recipe), **versions}
        smoke = Cell("smoke", arm.label, inputs, self._home)
        trains = tuple(
            Cell("train", f"{arm.label}-{short}-seed{seed}", {**inputs, "data": collect.key, "seed": seed}, self._home)
            for seed in self._config.training_seeds
        )
        evaluations = tuple(
            Cell(
                "evaluate",
                train.label,
                {"train": train.key, "directory": train.directory.name, **self._episodes(baseline), **versions},
                self._home,
            )
            for train in trains
        )
        return ArmPlan(arm.label, baseline, recipe, smoke, trains, evaluations)

    def _recipe(self, arm: ArmConfig, task: Part) -> Recipe:
        config = self._config
        budget = {
            "train.steps": config.steps,
            "train.batch_size": config.batch_size,
            "train.checkpoint_every": config.checkpoint_steps[0],
            "train.keep": EVERY,
        }
        overrides = {"contract.cameras": self._cameras(task), **config.set, **arm.set, **budget}
        try:
            recipe = self._registry.recipe(arm.recipe, overrides, arm.trunk, self._catalogue)
        except UsageError as error:
            raise type(error)(f"arm {arm.label}: {error}") from None
        recipe = recipe.model_copy(update={"name": arm.label, "task": task})
        check_task(recipe, self._catalogue)
        return recipe

    def _cameras(self, task: Part) -> list[str]:
        """The task's own: a recipe of another task names that one's cameras."""
        spec = self._catalogue.task(task.name).spec
        return list(contract_of(spec, part_config(task, spec.config, spec.defaults, "task")).cameras)

    def _episodes(self, baseline: bool) -> dict[str, Any]:
        config = self._config
        return {
            "checkpoints": list(config.checkpoint_steps),
            "selection": [SELECTION_SEEDS.start, config.selection_episodes],
            "report": [REPORT_SEEDS.start, config.report_episodes],
            "blind": config.blind and not baseline,
            "pictures": not baseline,
        }

    def _floors(self, task: Part, found: Found[TaskSpec[Any]]) -> dict[str, Cell]:
        report = [REPORT_SEEDS.start, self._config.report_episodes]
        inputs = {"task": task.model_dump(mode="json"), "report": report, **self._versions(found)}
        return {
            name: Cell("floor", f"{name}-{found.spec.name}", {"policy": name, **inputs}, self._home) for name in FLOORS
        }

    def _versions(self, *parts: Found[Any]) -> dict[str, Any]:
        """Version of trunkzoo and of the other packages that ship these parts: a new one makes a new cell."""
        others = {part.plugin_row.distribution: part.plugin_row.version for part in parts}
        others.pop("trunkzoo", None)
        return {"trunkzoo": version("trunkzoo")} | ({"plugins": others} if others else {})


def _wanted(label: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(label, pattern) for pattern in only)


def _essence(recipe: Recipe) -> dict[str, Any]:
    """What decides a training: all but the words."""
    return recipe.model_dump(mode="json", exclude={"summary"})


def seeds_of(first_and_count: Sequence[int]) -> range:
    """Episode seeds from ``[first, count]``."""
    first, count = first_and_count
    return range(first, first + count)


def every_cell(plan: SuitePlan) -> list[Cell]:
    """All cells of a suite, stage by stage."""
    return [cell for cells in plan.stages().values() for cell in cells]
