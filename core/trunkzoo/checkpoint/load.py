"""Load an agent from a checkpoint, strictly: missing and unexpected tensors, other contracts and APIs are errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.budget import Budget
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.checkpoint.parts import changed_versions, recipe_of, resolve_parts
from trunkzoo.checkpoint.tensors import read_tensors
from trunkzoo.errors import CheckpointError, ContractError
from trunkzoo.plugin.contract import Contract, differences
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe

_SLACK, _ROOM = 8, 1 << 26  # building an agent makes its numbers, copies of some of them, and one small observation


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
    return _rebuild(resolve_parts(header, recipe, catalogue, file), recipe, header, file)


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
