"""From a recipe to an agent, with the contract held against a probe of the real modules."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.catalogue.guard import foreign
from trunkzoo.errors import ContractError, PluginError
from trunkzoo.nn.draws import sample_seeds
from trunkzoo.plugin.contract import IMAGE_KEY
from trunkzoo.plugin.protocols import IMAGENET, Head, InputNorm, VisionTrunk
from trunkzoo.registry.recipe import Part, Recipe, part_config, resolve

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue


def assemble(recipe: Recipe, catalogue: Catalogue, seed: int = 0) -> Agent:
    """Build the agent of a recipe; the same seed gives the same weights.

    Every part draws its initial values by the seed and its own name: agents of one seed that differ in their trunk start
    with equal camera projections (where the trunks have equal channels, equal keypoint layers too) and an equal head.

    Raises:
        UsageError, ConfigError: a part is unknown or misconfigured.
        PluginError: a plugin built something that is no trunk or no head.
        ContractError: the real modules do not give what they declare or what the contract expects.
    """
    recipe = resolve(recipe, catalogue)

    def begin(part: str) -> None:
        torch.manual_seed(part_seed(seed, part))

    with torch.random.fork_rng(devices=[]):
        build = partial(build_trunk, recipe.trunk, catalogue)
        encoder = ObservationEncoder(recipe.contract, recipe.encoder, build, begin)
        begin("head")
        agent = Agent(recipe, encoder, build_head(recipe, catalogue))
    probe(agent)
    return agent


def part_seed(seed: int, part: str) -> int:
    """Hash an agent's seed and the name of one of its parts to the part's own seed."""
    name = int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], signed=True)
    return int(sample_seeds(seed, name))


def build_trunk(part: Part, catalogue: Catalogue) -> VisionTrunk:
    """Build one trunk and check that it is one."""
    found = catalogue.trunk(part.name)
    config = part_config(part, found.spec.config, found.spec.defaults, "trunk")
    with foreign(f"building trunk '{found.id}'"):
        trunk = found.spec.build(config)
    return require_trunk(trunk, f"trunk '{found.id}'")


def build_head(recipe: Recipe, catalogue: Catalogue) -> nn.Module:
    """Build the head for the recipe's contract and check that it is one."""
    found = catalogue.head(recipe.head.name)
    config = part_config(recipe.head, found.spec.config, found.spec.defaults, "head")
    with foreign(f"building head '{found.id}'"):
        head = found.spec.build(config, recipe.contract)
    _require(head, Head, f"head '{found.id}'", "forward(cond, actions, valid, draws) and sample(cond, noise)")
    return cast(nn.Module, head)


def require_trunk(built: Any, what: str) -> VisionTrunk:
    """``built`` as a trunk.

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


@dataclass(frozen=True)
class Probe:
    """What the real modules gave for one observation window."""

    feature_map: tuple[int, int, int]
    """(C, h, w) of the first camera's trunk."""
    cond_dim: int
    chunk: tuple[int, int]
    """(pred_horizon, action_dim) of a sample."""


@torch.no_grad()
def probe(agent: Agent) -> Probe:
    """Run one zero observation through the real modules and compare with what they declare.

    Raises:
        ContractError: a feature map, the condition or a sample has another shape than declared.
    """
    contract, training = agent.contract, agent.training
    agent.eval()
    images = torch.zeros(1, contract.obs_horizon, 3, *contract.image_size, dtype=torch.uint8, device=agent.device)
    with foreign(f"forward of trunk '{agent.recipe.trunk.name}'"):
        features: Any = agent.encoder.feature_map(0, images)
    _check_map(agent, tuple(features.shape[1:]) if isinstance(features, Tensor) else type(features).__name__)
    state = torch.zeros(1, contract.obs_horizon, contract.state_dim, device=agent.device)
    cond = agent.encoder({IMAGE_KEY + camera: images for camera in contract.cameras}, state)
    if cond.shape[-1] != contract.cond_dim:
        raise ContractError(f"{contract.sum_line()}, but the built encoder gives {cond.shape[-1]}")
    noise = torch.zeros(1, contract.pred_horizon, contract.action_dim, device=agent.device)
    with foreign(f"sample of head '{agent.recipe.head.name}'"):
        chunk = cast(Head, agent.head).sample(cond, noise)
    if chunk.shape != noise.shape:
        raise ContractError(
            f"head '{agent.recipe.head.name}' samples {tuple(chunk.shape[1:])}, "
            f"the contract expects (pred_horizon, action_dim) = {tuple(noise.shape[1:])}"
        )
    agent.train(training)
    c, h, w = (int(n) for n in features.shape[1:])
    return Probe((c, h, w), int(cond.shape[-1]), (int(chunk.shape[1]), int(chunk.shape[2])))


def _check_map(agent: Agent, shape: tuple[int, ...] | str) -> None:
    trunk = cast(VisionTrunk, agent.encoder.trunks[0])
    size = agent.recipe.encoder.crop or agent.contract.image_size
    declared = (trunk.out_channels, *(-(-side // trunk.stride) for side in size))
    if shape != declared:
        raise ContractError(
            f"trunk '{agent.recipe.trunk.name}' declares out_channels {trunk.out_channels} and stride {trunk.stride}, "
            f"so {size} pixels should give a map {declared}, but it gives {shape}"
        )
