"""Build an agent from a resolved recipe: trunks, encoder and head, each checked as it is built."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.part import Configured
from trunkzoo.errors import PluginError
from trunkzoo.nn.draws import sample_seeds
from trunkzoo.plugin.contract import Contract
from trunkzoo.plugin.protocols import IMAGENET, Head, InputNorm, VisionTrunk
from trunkzoo.plugin.records import HeadSpec, TrunkSpec
from trunkzoo.registry.resolved import ResolvedRecipe


def assemble(recipe: ResolvedRecipe, seed: int = 0) -> Agent:
    """Build the agent of a recipe; the same seed gives the same weights.

    Every part draws its initial values by the seed and its own name: agents of one seed that differ in their trunk start
    with equal camera projections (where the trunks have equal channels, equal keypoint layers too) and an equal head.

    Raises:
        PluginError: a plugin built something that is no trunk or no head.
        ContractError: the real modules do not give what they declare or what the contract expects.
    """
    contract = recipe.recipe.contract

    def begin(part: str) -> None:
        torch.manual_seed(part_seed(seed, part))

    with torch.random.fork_rng(devices=[]), plugin_code(f"building the agent of recipe '{recipe.recipe.name}'"):
        build = partial(build_trunk, recipe.trunk)
        encoder = ObservationEncoder(contract, recipe.recipe.encoder, build, begin)
        begin("head")
        head = build_head(recipe.head, contract)
        return Agent(recipe.recipe, encoder, head, recipe.parts)


def part_seed(seed: int, part: str) -> int:
    """Hash an agent's seed and the name of one of its parts to the part's own seed."""
    name = int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], signed=True)
    return int(sample_seeds(seed, name))


def build_trunk(part: Configured[TrunkSpec[Any]]) -> VisionTrunk:
    """Build one trunk and check that it is one."""
    with plugin_code(f"building {part.title}"):
        trunk = part.spec.build(part.config)
    return require_trunk(trunk, part.title)


def build_head(part: Configured[HeadSpec[Any]], contract: Contract) -> nn.Module:
    """Build a head for a contract and check that it is one."""
    with plugin_code(f"building {part.title}"):
        head = part.spec.build(part.config, contract)
    _require(head, Head, part.title, "forward(cond, actions, valid, draws) and sample(cond, noise)")
    return cast(nn.Module, head)


def require_trunk(built: Any, what: str) -> VisionTrunk:
    """Return ``built`` as a trunk, once it has the members of one.

    Raises:
        PluginError: it is none; the message says what it lacks.
    """
    _require(built, VisionTrunk, what, "out_channels, stride and forward(images)")
    for name in ("out_channels", "stride"):
        value = getattr(built, name)
        if not (isinstance(value, int) and value > 0):
            raise PluginError(f"{what}: {name} is {value!r}; it must be a positive integer")
    norm = getattr(built, "input_norm", IMAGENET)
    if not (isinstance(norm, InputNorm) and len(norm.mean) == len(norm.std) == 3 and min(norm.std) > 0):
        raise PluginError(
            f"{what}: input_norm {norm!r} must be an InputNorm of three means and three positive deviations"
        )
    return cast(VisionTrunk, built)


def _require(built: Any, protocol: type, what: str, members: str) -> None:
    if not (isinstance(built, nn.Module) and isinstance(built, protocol)):
        raise PluginError(f"{what} built a {type(built).__name__}; it must be a torch.nn.Module with {members}")
