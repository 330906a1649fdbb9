"""The contract held against the real modules: one zero observation goes through them once, when an agent is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.errors import ContractError
from trunkzoo.plugin.contract import IMAGE_KEY
from trunkzoo.plugin.protocols import Head, VisionTrunk
from trunkzoo.registry.recipe import Recipe


@dataclass(frozen=True)
class Probe:
    """What the real modules gave for one observation window."""

    feature_map: tuple[int, int, int]
    """(C, h, w) of the first camera's trunk."""
    cond_dim: int
    chunk: tuple[int, int]
    """(pred_horizon, action_dim) of a sample."""


@torch.no_grad()
def probe(recipe: Recipe, encoder: ObservationEncoder, head: nn.Module) -> Probe:
    """Run one zero observation through the real modules and compare with what they declare.

    Raises:
        ContractError: a feature map, the condition or a sample has another shape than declared.
    """
    with _acting(encoder), _acting(head):
        images = torch.zeros(1, recipe.contract.obs_horizon, 3, *recipe.contract.image_size, dtype=torch.uint8)
        feature_map = _probe_trunk(recipe, encoder, images)
        cond = _probe_encoder(recipe, encoder, images)
        return Probe(feature_map, int(cond.shape[-1]), _probe_head(recipe, head, cond))


@contextmanager
def _acting(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


def _probe_trunk(recipe: Recipe, encoder: ObservationEncoder, images: Tensor) -> tuple[int, int, int]:
    """The first camera's map (C, h, w), which out_channels and stride announce."""
    trunk = cast(VisionTrunk, encoder.trunks[0])
    with plugin_code(f"forward of trunk '{recipe.trunk.name}'"):
        features: Any = encoder.feature_map(0, images)
    shape = tuple(features.shape[1:]) if isinstance(features, Tensor) else type(features).__name__
    size = recipe.encoder.crop or recipe.contract.image_size
    declared = (trunk.out_channels, *(-(-side // trunk.stride) for side in size))
    if shape != declared:
        raise ContractError(
            f"trunk '{recipe.trunk.name}' declares out_channels {trunk.out_channels} and stride {trunk.stride}, "
            f"so {size} pixels should give a map {declared}, but it gives {shape}"
        )
    return declared[0], declared[1], declared[2]


def _probe_encoder(recipe: Recipe, encoder: ObservationEncoder, images: Tensor) -> Tensor:
    """The condition vector (1, obs_horizon, cond_dim)."""
    contract = recipe.contract
    state = torch.zeros(1, contract.obs_horizon, contract.state_dim)
    cond = cast(Tensor, encoder({IMAGE_KEY + camera: images for camera in contract.cameras}, state))
    if cond.shape[-1] != contract.cond_dim:
        raise ContractError(f"{contract.sum_line()}, but the built encoder gives {cond.shape[-1]}")
    return cond


def _probe_head(recipe: Recipe, head: nn.Module, cond: Tensor) -> tuple[int, int]:
    """The shape (pred_horizon, action_dim) of one sampled chunk."""
    noise = torch.zeros(1, recipe.contract.pred_horizon, recipe.contract.action_dim)
    with plugin_code(f"sample of head '{recipe.head.name}'"):
        chunk = cast(Head, head).sample(cond, noise)
    if chunk.shape != noise.shape:
        raise ContractError(
            f"head '{recipe.head.name}' samples {tuple(chunk.shape[1:])}, "
            f"the contract expects (pred_horizon, action_dim) = {tuple(noise.shape[1:])}"
        )
    return recipe.contract.pred_horizon, recipe.contract.action_dim
