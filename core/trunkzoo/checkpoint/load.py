"""Reading checkpoints: strict both ways, and every way to fail has its own sentence."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from trunkzoo.checkpoint.header import CheckpointHeader, PluginUse, read_header
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.manifest import verify
from trunkzoo.checkpoint.save import use_of
from trunkzoo.checkpoint.tensors import read_tensors
from trunkzoo.errors import CheckpointError, ConfigError, ContractError, UsageError
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.contract import Contract, differences
from trunkzoo.registry.recipe import Recipe, without_initial

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent
    from trunkzoo.catalogue.catalogue import Catalogue


class CheckpointWarning(UserWarning):
    """A checkpoint loads, but was made with other code than is installed."""


def load_agent(path: str | Path, catalogue: Catalogue | None = None, expect: Recipe | None = None) -> Agent:
    """Rebuild the agent of a run directory, a checkpoint directory or a lone ``model.safetensors``.

    ``expect`` is the recipe whose contract the checkpoint must have. The agent comes back in eval mode.

    Raises:
        CheckpointError: the file is absent, damaged, of an unreadable format, does not fit the code, or needs a
            plugin that is not installed.
        ContractError: the checkpoint's contract is not the expected one.
    """
    from trunkzoo.agent.assemble import assemble
    from trunkzoo.registry.zoo import load_catalogue

    file = model_file(Path(path))
    verify(file)
    header = read_header(file)
    recipe = recipe_of(header, file)
    check_contract(header, recipe.contract, f"the recipe in {file}")
    if expect is not None:
        check_contract(header, expect.contract, f"recipe '{expect.name}'")
    catalogue = catalogue or load_catalogue()
    changed = check_plugins(header, catalogue, file)
    agent = assemble(without_initial(recipe, catalogue), catalogue)
    agent.recipe = recipe
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


def check_plugins(header: CheckpointHeader, catalogue: Catalogue, file: Path) -> str:
    """Look for every part that the checkpoint needs; returns a note on changed versions for later errors.

    Raises:
        CheckpointError: a part is absent (with the line that installs it) or speaks another plugin API.
    """
    changed = set()
    for use in header.plugins:
        row = _find(use, catalogue, file)
        if row.api != use.api:
            raise CheckpointError(
                f"{file} was made with {use.kind} '{use.id}' of plugin API {use.api}, installed is API {row.api}; "
                f"run: pip install '{use.distribution}=={use.version}'"
            )
        if row.version != use.version:
            changed.add(f"{use.distribution} {use.version}, installed is {row.version}")
    for note in sorted(changed):
        warnings.warn(f"{file} was made with {note}; results may differ", CheckpointWarning, stacklevel=3)
    return f" (made with {'; '.join(sorted(changed))})" if changed else ""


def _find(use: PluginUse, catalogue: Catalogue, file: Path) -> PluginUse:
    try:
        return use_of(use.kind, use.id, catalogue)
    except UsageError:
        raise CheckpointError(
            f"{file} needs {use.kind} '{use.id}' of {use.distribution} {use.version}, which is not available."
            f"{catalogue.absence(use.id)} Run: pip install '{use.distribution}=={use.version}'"
        ) from None


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
