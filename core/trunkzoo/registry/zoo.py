"""The zoo of this environment: the registry and the catalogue of plugins that it rules, opened once and passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkzoo.catalogue.catalogue import Catalogue, load_catalogue
from trunkzoo.errors import ZooError
from trunkzoo.registry.layers import Labels
from trunkzoo.registry.registry import LABELS, Registry, load_registry, packaged_registry

if TYPE_CHECKING:
    from trunkzoo.registry.resolved import ResolvedRecipe


@dataclass(frozen=True)
class Zoo:
    """The catalogue of installed plugins, and the registry of recipes and suites. :func:`open_zoo` makes it."""

    catalogue: Catalogue
    usable: Registry
    """The registry for commands that must go on: ours alone when the user's is broken."""
    fault: ZooError | None = None
    """What is wrong with the user's registry.toml."""

    @property
    def registry(self) -> Registry:
        """The whole registry.

        Raises:
            UsageError, ConfigError: the user's registry.toml cannot be read, or breaks the schema.
        """
        if self.fault is not None:
            raise self.fault
        return self.usable

    @property
    def notes(self) -> list[str]:
        """What the user should hear about, one line each."""
        fault = [f"registry left out: {self.fault}"] if self.fault is not None else []
        return [*fault, *self.catalogue.notes()]

    def recipe(
        self,
        name: str,
        overrides: Mapping[str, Any] | None = None,
        trunk: str | None = None,
        labels: Labels = LABELS,
    ) -> ResolvedRecipe:
        """The recipe ``name`` of registry.toml, resolved; see :meth:`Registry.recipe` for what is applied.

        Raises:
            UsageError: no such recipe, trunk, head or task.
            ConfigError: a value breaks its schema; the line says where the value was written.
        """
        from trunkzoo.registry.written import resolve_written  # pydantic models of a recipe: lists need none of them

        tree = self.registry.recipe(name, overrides or {}, trunk, labels)
        return resolve_written(name, tree, self.catalogue, labels)


def open_zoo(path: Path | str | None = None) -> Zoo:
    """Read registry.toml, the user's at ``path`` if one is named (see :func:`load_registry`), and load every plugin.

    No fault of a plugin stops it, nor one of the user's registry.toml until something is asked of that registry.
    """
    try:
        registry, fault = load_registry(path), None
    except ZooError as error:
        registry, fault = packaged_registry(), error
    return Zoo(load_catalogue(registry.names), registry, fault)
