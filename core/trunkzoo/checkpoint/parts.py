"""The parts that a checkpoint needs: is each installed, in the version that made it? No torch here."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import RECIPE_KINDS, Found, RecordKind
from trunkzoo.checkpoint.header import CheckpointHeader, PluginUse
from trunkzoo.errors import CheckpointError, ConfigError, UsageError, install_command
from trunkzoo.plugin.config import parse
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, resolve, without_initial


class CheckpointWarning(UserWarning):
    """A checkpoint loads, but was made with other code than is installed."""


def use_of(part: Found[Any]) -> PluginUse:
    """The package that ships a part."""
    row = part.plugin
    return PluginUse(kind=part.kind, id=part.id, distribution=row.distribution, version=row.version, api=row.api)


def recipe_of(header: CheckpointHeader, file: Path) -> Recipe:
    """The recipe a header holds."""
    try:
        return parse(Recipe, header.recipe, "recipe")
    except ConfigError as error:
        raise CheckpointError(f"the recipe in {file} does not fit this version of trunkzoo: {error}") from None


def resolve_parts(header: CheckpointHeader, recipe: Recipe, catalogue: Catalogue, file: Path) -> ResolvedRecipe:
    """The recipe of a checkpoint with the records that rebuild its agent.

    Raises:
        CheckpointError: a part is not installed, or its settings do not fit the installed version.
    """
    require_parts(header, catalogue, file)
    try:
        return resolve(without_initial(recipe, catalogue), catalogue)
    except ConfigError as error:
        installed = [catalogue.find(use.kind, use.id) for use in header.plugins]
        changed = changes(header, installed)
        if not changed:
            raise
        lines = [install_command(use.distribution, use.version) for use in _changed(header, installed)]
        made = "; ".join(changed)
        raise CheckpointError(f"{file} was made with {made}, and: {error}. Run: {' && '.join(lines)}") from None


def require_parts(
    header: CheckpointHeader, catalogue: Catalogue, file: Path, kinds: Collection[RecordKind] = RECIPE_KINDS
) -> None:
    """Look for every part of these ``kinds`` that the checkpoint needs.

    Raises:
        CheckpointError: a part is absent; the message has the line that installs it.
    """
    for use in header.plugins:
        if use.kind not in kinds:
            continue
        try:
            catalogue.find(use.kind, use.id)
        except UsageError:
            raise CheckpointError(
                f"{file} needs {use.kind} '{use.id}' of {use.distribution} {use.version}, which is not available."
                f"{catalogue.why_absent(use.id)} Run: {install_command(use.distribution, use.version)}"
            ) from None


def changed_versions(header: CheckpointHeader, parts: Sequence[Found[Any]], file: Path) -> str:
    """Warn of parts that come from another version than the checkpoint's; returns a note on them for later errors.

    Raises:
        CheckpointError: a part speaks another plugin API.
    """
    installed = {part.kind: use_of(part) for part in parts}
    for use in header.plugins:
        now = installed.get(use.kind, use)
        if now.api != use.api:
            raise CheckpointError(
                f"{file} was made with {use.kind} '{use.id}' of plugin API {use.api}, installed is API {now.api}; "
                f"run: {install_command(use.distribution, use.version)}"
            )
    changed = changes(header, parts)
    for note in changed:
        warnings.warn(f"{file} was made with {note}; results may differ", CheckpointWarning, stacklevel=4)
    return f" (made with {'; '.join(changed)})" if changed else ""


def changes(header: CheckpointHeader, parts: Sequence[Found[Any]]) -> list[str]:
    """One line for each package that is installed in another version: ``name 1.0, installed is 1.1``."""
    installed = {part.kind: part.plugin.version for part in parts}
    return sorted(
        {f"{it.distribution} {it.version}, installed is {installed[it.kind]}" for it in _changed(header, parts)}
    )


def _changed(header: CheckpointHeader, parts: Sequence[Found[Any]]) -> list[PluginUse]:
    installed = {part.kind: part.plugin.version for part in parts}
    return [use for use in header.plugins if installed.get(use.kind, use.version) != use.version]
