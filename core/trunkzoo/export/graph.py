"""What is exported, as torch modules that take and give plain tensors: an agent, or its trunks alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.agent import Agent
from trunkzoo.export.record import BATCH, ExportScope, Port
from trunkzoo.export.tracing import TRACED
from trunkzoo.plugin.contract import ACTION_KEY, IMAGE_KEY, STATE_KEY

NOISE = "noise"


class Graph(Protocol):
    """A module whose inputs and outputs are described, in the order of its arguments and results."""

    agent: Agent

    def inputs(self) -> list[Port]: ...

    def outputs(self) -> list[Port]: ...

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]: ...


def graph_of(agent: Agent, scope: ExportScope) -> Graph:
    """The module that is exported of an agent, which is in eval mode from now on."""
    agent.eval()
    return cast(Graph, AgentGraph(agent) if scope == "agent" else TrunkGraph(agent))


class AgentGraph(nn.Module):
    """Images of every camera, the state and the noise → a chunk of actions in raw units: ``Agent.predict``."""

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent

    def inputs(self) -> list[Port]:
        """One port per camera, then the state and the noise."""
        c, normalizer = self.agent.contract, self.agent.state_normalizer
        low, high = _range(normalizer.offset, normalizer.scale)
        return [
            *(_images(key, (c.obs_horizon, 3, *c.image_size), "RGB, oldest first") for key in c.image_keys),
            _floats(
                STATE_KEY, (c.obs_horizon, c.state_dim), "raw units, oldest first; where training saw it", low, high
            ),
            _floats(NOISE, (c.pred_horizon, c.action_dim), "standard normal draws"),
        ]

    def outputs(self) -> list[Port]:
        """The chunk."""
        c, normalizer = self.agent.contract, self.agent.action_normalizer
        low, high = _range(normalizer.offset, normalizer.scale)
        meaning = f"raw units, first action now; execute {c.num_action_steps}, then predict again"
        return [_floats(ACTION_KEY, (c.pred_horizon, c.action_dim), meaning, low, high)]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        keys = (*self.agent.contract.image_keys, STATE_KEY)
        return (self.agent.chunk(dict(zip(keys, tensors, strict=False)), tensors[-1]),)


class TrunkGraph(nn.Module):
    """Images of every camera → the feature map of its trunk; crop, scale and input normalisation inside."""

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent

    def inputs(self) -> list[Port]:
        """One port per camera."""
        c = self.agent.contract
        return [_images(key, (3, *c.image_size), "RGB") for key in c.image_keys]

    def outputs(self) -> list[Port]:
        """One feature map per camera."""
        names = [key.replace(IMAGE_KEY, "features.") for key in self.agent.contract.image_keys]
        return [_floats(name, self.agent.probe.feature_map, "feature map (C, h, w)") for name in names]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        encoder = self.agent.encoder
        return tuple(encoder.feature_map(i, images.unsqueeze(1)) for i, images in enumerate(tensors))


def example(ports: Sequence[Port], size: int = TRACED, seed: int = 0) -> tuple[Tensor, ...]:
    """Random tensors of ``size`` samples for every port."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(_random(port, size, generator) for port in ports)


def _random(port: Port, size: int, generator: torch.Generator) -> Tensor:
    shape = [size, *(int(n) for n in port.shape[1:])]
    if port.dtype == "uint8":
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return torch.randn(shape, generator=generator)


def _images(name: str, shape: tuple[int, ...], meaning: str) -> Port:
    return Port(name=name, dtype="uint8", shape=(BATCH, *shape), meaning=meaning, low=(0,), high=(255,))


def _floats(
    name: str, shape: tuple[int, ...], meaning: str, low: tuple[float, ...] = (), high: tuple[float, ...] = ()
) -> Port:
    return Port(name=name, dtype="float32", shape=(BATCH, *shape), meaning=meaning, low=low, high=high)


def _range(offset: Tensor, scale: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What [-1, 1] is in raw units, per dimension."""
    return tuple((offset - scale).tolist()), tuple((offset + scale).tolist())
