"""Load an agent from a checkpoint, strictly: missing and unexpected tensors, other contracts and APIs are errors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.budget import Budget
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Found
from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.checkpoint.save import use_of
from trunkzoo.checkpoint.tensors import read_tensors
from trunkzoo.errors import CheckpointError, ConfigError, ContractError, UsageError, install_command
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.contract import Contract, differences
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, resolve, without_initial

_SLACK, _ROOM = 8, 1 << 26  # building an agent makes its numbers, copies of some of them, and one small observation


class CheckpointWarning(UserWarning):
    """A checkpoint loads, but was made with other code than is installed."""


def load_agent(path: str | Path, catalogue: Catalogue, expect: Recipe | None = None) -> Agent:
    """Rebuild the agent of a run directory, a checkpoint directory or a lone ``model.safetensors``.

    ``expect`` is the recipe whose contract the checkpoint must have. The agent comes back in eval mode.

    Raises:
        CheckpointError: the file is absent, damaged, of an unreadable format, does not fit the code, or needs a
            plugin that is not installed.
        ContractError: the checkpoint's contract is not the expected one.
    """
    file = model_file(Path(path))
    header, _ = read_verified(file)
    recipe = recipe_of(header, file)
    check_contract(header, recipe.contract, f"the recipe in {file}")
    if expect is not None:
        check_contract(header, expect.contract, f"recipe '{expect.name}'")
    require_parts(header, catalogue, file)
    return _rebuild(resolve(without_initial(recipe, catalogue), catalogue), recipe, header, file)


def continue_agent(path: Path, recipe: ResolvedRecipe) -> Agent:
    """Rebuild the agent of a checkpoint directory under the recipe it was trained with, which is at hand.

    Raises:
        CheckpointError, ContractError: as :func:`load_agent`.
    """
    file = model_file(path)
    header, _ = read_verified(file)
    check_contract(header, recipe.recipe.contract, f"recipe '{recipe.recipe.name}'")
    return _rebuild(recipe.without_initial(), recipe.recipe, header, file)


def _rebuild(resolved: ResolvedRecipe, recipe: Recipe, header: CheckpointHeader, file: Path) -> Agent:
    changed = changed_versions(header, resolved.parts, file)
    with Budget(_ROOM + _SLACK * header.numbers, str(file)):
        agent = assemble(resolved)
    agent.recipe = recipe  # as it was trained, with the settings that only chose initial weights
    load_weights(agent, read_tensors(file), f"{file}{changed}")
    return agent.eval()


def recipe_of(header: CheckpointHeader, file: Path) -> Recipe:
    """The recipe a header holds."""
    try:
        return parse(Recipe, header.recipe, "recipe")
    except ConfigError as error:
        raise CheckpointError(f"the recipe in {file} does not fit this version of trunkzoo: {error}") from None


def check_contract(header: CheckpointHeader, expected: Contract, whose: str) -> None:
    """Hold the checkpoint's contract against another.

    Raises:
        ContractError: they differ; the message shows both sides.
    """
    lines = differences(header.contract, expected)
    if lines:
        raise ContractError(
            f"the checkpoint's contract is not that of {whose} (checkpoint ≠ recipe): {'; '.join(lines)}"
        )


def require_parts(header: CheckpointHeader, catalogue: Catalogue, file: Path) -> None:
    """Look for every part that the checkpoint needs.

    Raises:
        CheckpointError: a part is absent; the message has the line that installs it.
    """
    for use in header.plugins:
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
    changed = set()
    for use in header.plugins:
        now = installed.get(use.kind, use)
        if now.api != use.api:
            raise CheckpointError(
                f"{file} was made with {use.kind} '{use.id}' of plugin API {use.api}, installed is API {now.api}; "
                f"run: {install_command(use.distribution, use.version)}"
            )
        if now.version != use.version:
            changed.add(f"{use.distribution} {use.version}, installed is {now.version}")
    for note in sorted(changed):
        warnings.warn(f"{file} was made with {note}; results may differ", CheckpointWarning, stacklevel=4)
    return f" (made with {'; '.join(sorted(changed))})" if changed else ""


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Copy ``tensors`` into the state dict of ``module``, strictly.

    Raises:
        CheckpointError: keys are missing or left over, or a shape or dtype differs.
    """
    state = module.state_dict()
    _refuse(what, "lacks", state.keys() - tensors.keys())
    _refuse(what, "holds unknown", tensors.keys() - state.keys())
    for name, target in state.items():
        found = tensors[name]
        if found.shape != target.shape or found.dtype != target.dtype:
            raise CheckpointError(
                f"{what}: '{name}' is {found.dtype} {tuple(found.shape)}, "
                f"the agent expects {target.dtype} {tuple(target.shape)}"
            )
    module.load_state_dict(dict(tensors))


def _refuse(what: str, verb: str, names: set[str]) -> None:
    if names:
        shown = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise CheckpointError(f"{what} {verb} {len(names)} tensor{'s' * (len(names) != 1)}: {shown}")
