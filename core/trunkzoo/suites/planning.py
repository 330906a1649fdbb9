"""Plan a suite: from its table in registry.toml to its cells, each with all inputs that decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.edits import edition
from trunkzoo.catalogue.part import Configured, Found, Part
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import UsageError
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.contract import Contract
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry import Registry, Zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, check_task
from trunkzoo.rollouts.references import REFERENCES
from trunkzoo.rollouts.seeds import REPORT_SEEDS, SELECTION_SEEDS
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.config import ArmConfig, ForeignConfig, SlurmConfig, SuiteConfig, SuiteTask
from trunkzoo.suites.plan import ArmPlan, ForeignPlan, SuitePlan, TaskPlan
from trunkzoo.training.directory import CELLS

TASK_REFERENCES = tuple(REFERENCES)


def load_suite(registry: Registry, name: str) -> SuiteConfig:
    """The suite ``name`` of registry.toml.

    Raises:
        UsageError: there is no such suite.
        ConfigError: a value breaks the schema.
    """
    return parse(SuiteConfig, registry.suite(name), f"suites.{name}")


def load_slurm(registry: Registry) -> SlurmConfig:
    """``[engines.slurm]`` of registry.toml; defaults where there is none.

    Raises:
        ConfigError: a value breaks the schema.
    """
    return parse(SlurmConfig, registry.slurm, "engines.slurm")


def plan_suite(
    name: str, zoo: Zoo, directory: Path, only: Sequence[str] = (), parallel: int = 2, compile: bool = False
) -> SuitePlan:
    """Resolve a suite; ``only`` keeps the arms that match one of these patterns, ``compile`` compiles trainings.

    Raises:
        UsageError: an unknown suite, recipe, setting or task, or a pattern without an arm.
        ContractError: a recipe and a task disagree.
    """
    config = load_suite(zoo.registry, name)
    planner = _Planner(config, zoo, directory / CELLS, parallel, compile)
    return SuitePlan(name, config, directory, tuple(planner.task(task, only) for task in config.tasks))


class _Planner:
    """Resolves the recipes and tasks of a suite and names all inputs of every cell."""

    def __init__(self, config: SuiteConfig, zoo: Zoo, home: Path, parallel: int, compile: bool) -> None:
        self._config, self._zoo = config, zoo
        self._home, self._parallel, self._compile = home, parallel, compile

    def task(self, task: SuiteTask, only: Sequence[str]) -> TaskPlan:
        """All cells of one task."""
        found = self._zoo.catalogue.configure("task", Part(name=task.name, config=task.config))
        part = found.as_part()
        collects = tuple(self._collect(task, found, seed) for seed in self._config.training_seeds)
        chosen = [(arm, False) for arm in self._config.arms] + [(arm, True) for arm in self._config.baselines]
        chosen = [(arm, baseline) for arm, baseline in chosen if _wanted(arm.label, only)]
        if not chosen:
            labels = ", ".join(arm.label for arm in self._config.everyone)
            raise UsageError(f"no arm matches {' or '.join(only)}; this suite has {labels}", ["only"])
        arms = tuple(self._arm(arm, baseline, found, collects) for arm, baseline in chosen)
        foreign = tuple(
            self._foreign(it, task, found, collects) for it in self._config.foreign if _wanted(it.name, only)
        )
        floors, latency = self._floors(part, found), self._latency(arms, found)
        return TaskPlan(found.id, collects, arms, floors, latency, found.spec.stages, foreign)

    def _collect(self, task: SuiteTask, found: Configured[TaskSpec[Any]], training_seed: int) -> Cell:
        first = self._config.demonstration_seed(task, training_seed)
        demonstrations = {"episodes": task.demonstrations, "first_seed": first}
        inputs = {"task": found.as_part().model_dump(mode="json"), **demonstrations, **self._versions(found)}
        which = f"-from-{first}" if first != task.first_seed else ""
        label = f"{found.spec.name}-{task.demonstrations}{which}"
        return Cell("collect", label, inputs, self._home, self._parallel)

    def _arm(
        self, arm: ArmConfig, baseline: bool, task: Configured[TaskSpec[Any]], collects: Sequence[Cell]
    ) -> ArmPlan:
        resolved, short = self._recipe(arm, task), task.spec.name
        recipe, versions = resolved.recipe, self._versions(*resolved.parts)
        inputs = {"recipe": _essence(recipe), **versions}
        smoke = Cell("smoke", recipe.name, inputs, self._home)
        trains = tuple(
            Cell(
                "train",
                f"{recipe.name}-{short}-seed{seed}",
                {**inputs, "data": data.key, "seed": seed},
                self._home,
                compile=self._compile,
            )
            for seed, data in zip(self._config.training_seeds, collects, strict=True)
        )
        judged = {**self._episodes(baseline), **_executed(arm), **versions}
        evaluations = tuple(
            Cell(
                "evaluate",
                train.label if arm.num_action_steps is None else f"{arm.label}-{short}-seed{seed}",
                {"train": train.key, "directory": train.directory.name, **judged},
                self._home,
            )
            for seed, train in zip(self._config.training_seeds, trains, strict=True)
        )
        return ArmPlan(arm.label, baseline, arm.control, _as_judged(recipe, arm), smoke, trains, evaluations)

    def _foreign(
        self, it: ForeignConfig, task: SuiteTask, found: Configured[TaskSpec[Any]], collects: Sequence[Cell]
    ) -> ForeignPlan:
        """The cells of a policy that another package trains; its command and settings decide them too.

        Raises:
            UsageError: no plugin has the policy that is to play it.
        """
        record, config = self._zoo.catalogue.policy(it.policy), self._config
        learnt = task.demonstrations - config.holdout_episodes  # as every arm: the last ones are held out
        budget = {"steps": config.steps, "batch_size": config.batch_size, "episodes": list(range(learnt))}
        trains = tuple(
            Cell(
                "train",
                f"{it.name}-{found.spec.name}-seed{seed}",
                {"command": list(it.command), **budget, "data": data.key, "seed": seed},
                self._home,
            )
            for seed, data in zip(config.training_seeds, collects, strict=True)
        )
        played = {
            "policy": {"name": record.id, "config": it.settings},
            "task": found.as_part().model_dump(mode="json"),
            "report": [REPORT_SEEDS.start, config.report_episodes],
            "blind": config.blind,
            **self._versions(found, record),
        }
        evaluations = tuple(
            Cell("evaluate", train.label, {"train": train.key, "directory": train.directory.name, **played}, self._home)
            for train in trains
        )
        return ForeignPlan(it.name, record.id, trains, evaluations)

    def _recipe(self, arm: ArmConfig, task: Configured[TaskSpec[Any]]) -> ResolvedRecipe:
        config = self._config
        budget = {
            "train.steps": config.steps,
            "train.batch_size": config.batch_size,
            "train.checkpoint_every": config.checkpoint_steps[0],
            "train.keep": 0,  # all: a stop adds one of its own, and no scheduled one may make room for it
        }
        if config.holdout_episodes:
            budget["train.holdout_episodes"] = config.holdout_episodes
        overrides = {"contract.cameras": list(contract_of(task).cameras), **config.set, **arm.set, **budget}
        try:
            resolved = self._zoo.recipe(arm.recipe, overrides, arm.trunk).on_task(task)
        except UsageError as error:
            raise type(error)(f"arm {arm.label}: {error}") from None
        named = replace(resolved, recipe=resolved.recipe.model_copy(update={"name": arm.trained_as or arm.label}))
        check_task(named.recipe, task)
        return named

    def _episodes(self, baseline: bool) -> dict[str, Any]:
        config = self._config
        return {
            "checkpoints": list(config.checkpoint_steps),
            "selection": [SELECTION_SEEDS.start, config.selection_episodes],
            "report": [REPORT_SEEDS.start, config.report_episodes],
            "blind": config.blind and not baseline,
            "pictures": not baseline,
            # said only where it is not "chosen", which cells made before there was a choice do not say either
            **({} if config.report_checkpoint == "chosen" else {"reported": config.report_checkpoint}),
            **({"sight": [REPORT_SEEDS.start, config.sight_scenes]} if config.sight_scenes else {}),
        }

    def _floors(self, task: Part, found: Configured[TaskSpec[Any]]) -> dict[str, Cell]:
        report = [REPORT_SEEDS.start, self._config.report_episodes]
        inputs = {"task": task.model_dump(mode="json"), "report": report, **self._versions(found)}
        return {
            name: Cell("floor", f"{name}-{found.spec.name}", {"policy": name, **inputs}, self._home)
            for name in TASK_REFERENCES
        }

    def _latency(self, arms: Sequence[ArmPlan], found: Configured[TaskSpec[Any]]) -> Cell:
        """One cell for all arms; it takes every core, so that nothing else runs beside it."""
        recipes = {arm.label: arm.smoke.inputs for arm in arms}
        return Cell(
            "latency", f"of-{len(arms)}-agents-{found.spec.name}", {"arms": recipes}, self._home, self._parallel
        )

    def _versions(self, *parts: Found[Any]) -> dict[str, Any]:
        """Version of trunkzoo and of the other packages that ship these parts: a new one makes a new cell.

        An editable third-party package has a new one whenever its files change.
        """
        others = {part.plugin.distribution: edition(part.plugin) for part in parts}
        others.pop("trunkzoo", None)
        return {"trunkzoo": version("trunkzoo")} | ({"plugins": others} if others else {})


def _executed(arm: ArmConfig) -> dict[str, int]:
    """What an evaluation adds that executes another number of actions than the recipe says."""
    return {} if arm.num_action_steps is None else {"num_action_steps": arm.num_action_steps}


def _as_judged(recipe: Recipe, arm: ArmConfig) -> Recipe:
    """The recipe with as many actions executed as in the arm's evaluations.

    Raises:
        ConfigError: more than it predicts.
    """
    contract = {**recipe.contract.model_dump(mode="json"), **_executed(arm)}
    return recipe.model_copy(update={"contract": parse(Contract, contract, f"arm {arm.label}")})


def _wanted(label: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(label, pattern) for pattern in only)


def _essence(recipe: Recipe) -> dict[str, Any]:
    """What decides a training: all but the words."""
    values = recipe.model_dump(mode="json", exclude={"summary"})
    for group, name, before in _LATER:
        if values[group][name] == before:
            del values[group][name]
    return values


_LATER = (("encoder", "keypoint_gain", 1.0),)
"""Settings younger than published rows, and what agents had before: cells without them keep their key."""
