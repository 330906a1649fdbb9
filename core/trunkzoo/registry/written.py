"""From laid-over values to a validated recipe, every message naming the place where the value was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.plugin.config import parse
from trunkzoo.registry.assignments import assignment
from trunkzoo.registry.layers import PARTS, Labels, Layer, Tree, leaves
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, resolve
from trunkzoo.registry.toml_lines import KeyPath


def rows_of(resolved: ResolvedRecipe) -> Iterator[tuple[str, Any, str]]:
    """Every value as (dotted key, value, origin); a value that nobody wrote comes from its ``default``."""
    for path, value in leaves(resolved.recipe.model_dump(mode="json")):
        written = _written(path)
        yield ".".join(written), value, resolved.origins.get(written, "default")


def resolve_written(name: str, tree: Tree, catalogue: Catalogue, labels: Labels) -> ResolvedRecipe:
    """Validate the values of a recipe and fill in every default.

    Raises:
        UsageError: a trunk, head or task is unknown.
        ConfigError: a value breaks its schema.
    """

    where = f"recipe '{name}'"

    def locate(*paths: KeyPath) -> str:
        origin = tree.origin(*map(_written, paths))
        if origin in labels:
            return f"{origin} "
        told = [origin, where] if origin and len(paths) > 1 else [origin or where]  # a rule that the whole recipe broke
        return "".join(f"{part}: " for part in told)

    recipe = parse(Recipe, {"name": name, **_with_parts(tree.values)}, "", locate)
    return resolve(recipe, catalogue, locate, tree.origins)


def resolve_again(recipe: Recipe, overrides: Mapping[str, Any], catalogue: Catalogue, labels: Labels) -> ResolvedRecipe:
    """A recipe that was stored whole, with dotted keys over it (``{"train.steps": 100}``); raises as above."""
    values = recipe.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    for part in PARTS:
        if part in values:
            values[part] = {"name": values[part]["name"], **values[part]["config"]}
    tree = Tree()
    tree.lay(Layer(values, lambda _: "the run's recipe"))
    for key, value in overrides.items():
        tree.lay(assignment(key, value, labels.override))
    return resolve_written(recipe.name, tree, catalogue, labels)


def _with_parts(values: dict[str, Any]) -> dict[str, Any]:
    """A part is written as a flat table, its ``name`` beside its settings; in a Recipe the settings are ``config``."""
    return {key: _part(value) if key in PARTS and isinstance(value, dict) else value for key, value in values.items()}


def _part(table: dict[str, Any]) -> dict[str, Any]:
    name = {"name": table["name"]} if "name" in table else {}
    return name | {"config": {key: value for key, value in table.items() if key != "name"}}


def _written(path: KeyPath) -> KeyPath:
    """The path as the registry writes it: without the ``config`` between a part and its settings."""
    return (path[0], *path[2:]) if path[0:1] and path[0] in PARTS and path[1:2] == ("config",) else path
