"""A resolved recipe: every default filled in, and the record behind each part found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Configured, Part
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import ContractError
from trunkzoo.plugin.config import Locate, nowhere, parse
from trunkzoo.plugin.contract import differences
from trunkzoo.plugin.records import HeadSpec, TaskSpec, TrunkSpec
from trunkzoo.registry.recipe import Recipe


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe that stands alone, and what builds its parts. :func:`resolve` makes it, once."""

    recipe: Recipe
    """Full names, and every setting of every part."""
    trunk: Configured[TrunkSpec[Any]]
    head: Configured[HeadSpec[Any]]
    task: Configured[TaskSpec[Any]] | None
    origins: Mapping[tuple[str, ...], str] = field(default_factory=dict, compare=False)
    """Where each value was written, by its path in registry.toml; empty for a recipe from elsewhere."""

    @property
    def parts(self) -> tuple[Configured[Any], ...]:
        """Trunk, head and, if the recipe names one, task."""
        return (self.trunk, self.head) if self.task is None else (self.trunk, self.head, self.task)

    def on_task(self, task: Configured[TaskSpec[Any]]) -> ResolvedRecipe:
        """The same recipe on another task."""
        return replace(self, recipe=self.recipe.model_copy(update={"task": task.as_part()}), task=task)

    def without_initial(self) -> ResolvedRecipe:
        """What rebuilds the agent from its own weights: no setting that only chooses a trunk's initial ones."""
        kept = _without_initial(self.recipe.trunk, self.trunk.spec)
        config = parse(self.trunk.spec.config, {**self.trunk.spec.defaults, **kept.config}, "trunk")
        return replace(self, trunk=replace(self.trunk, config=config))


def resolve(
    recipe: Recipe, catalogue: Catalogue, locate: Locate = nowhere, origins: Mapping[tuple[str, ...], str] | None = None
) -> ResolvedRecipe:
    """Find the record of each part, and fill in full names and every default.

    Raises:
        UsageError: a part's name is unknown.
        ConfigError: a part's configuration breaks its schema; ``locate`` says where the setting was written.
    """
    trunk = catalogue.configure("trunk", recipe.trunk, locate)
    head = catalogue.configure("head", recipe.head, locate)
    task = catalogue.configure("task", recipe.task, locate) if recipe.task else None
    parts = {"trunk": trunk.as_part(), "head": head.as_part(), "task": task.as_part() if task else None}
    return ResolvedRecipe(recipe.model_copy(update=parts), trunk, head, task, origins or {})


def without_initial(recipe: Recipe, catalogue: Catalogue) -> Recipe:
    """The recipe without the settings that only choose a trunk's initial weights, whose files may be gone."""
    trunk = _without_initial(recipe.trunk, catalogue.trunk(recipe.trunk.name).spec)
    return recipe.model_copy(update={"trunk": trunk})


def _without_initial(trunk: Part, spec: TrunkSpec[Any]) -> Part:
    kept = {key: value for key, value in trunk.config.items() if key not in spec.initial}
    return trunk.model_copy(update={"config": kept})


def check_task(recipe: Recipe, task: Configured[TaskSpec[Any]] | None) -> None:
    """Hold a recipe's contract against what a task offers, if there is one.

    Raises:
        ContractError: they differ; the message shows both sides of every field.
    """
    if task is None:
        return
    offered = contract_of(task)
    lines = differences(recipe.contract, offered)
    if lines:
        both = "; ".join(lines)
        raise ContractError(f"recipe '{recipe.name}' and task '{task.id}' disagree (recipe ≠ task): {both}")
