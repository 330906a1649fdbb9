"""A whole agent that trains in milliseconds: a real trunk, a real head and windows in memory, too small to be useful."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from trunkzoo.agent.example import random_batch
from trunkzoo.plugin import Config, Contract, Draws
from trunkzoo.registry.recipe import Recipe
from trunkzoo.training.config import TrainResult


class TinyConfig(Config):
    """Width of the tiny parts."""

    width: int = 8


class TinyTrunk(nn.Module):
    """Two convolutions with group norm."""

    stride = 4

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels = width
        self.entry = nn.Conv2d(3, width, 4, stride=4)
        self.norm: nn.Module = nn.GroupNorm(2, width)  # a test puts another norm here
        self.exit = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.exit(torch.relu(self.norm(self.entry(images))))
        return features


class TinyHead(nn.Module):
    """One-step denoiser: predicts the chunk from the condition and a noisy copy; a sample's loss is its own."""

    def __init__(self, width: int, contract: Contract) -> None:
        super().__init__()
        self.shape = (contract.pred_horizon, contract.action_dim)
        numbers = contract.pred_horizon * contract.action_dim
        self.query = nn.Parameter(torch.zeros(width))
        self.entry = nn.Linear(contract.obs_horizon * contract.cond_dim + numbers, width)
        self.exit = nn.Linear(width, numbers)

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        noisy = actions + draws.normal(*self.shape)
        error = (self.sample(cond, noisy) - actions).square().mean(-1) * valid
        return {"loss": error.mean(), "error": error.detach().mean()}

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        hidden = torch.tanh(self.entry(torch.cat([cond.flatten(1), noise.flatten(1)], dim=1)) + self.query)
        chunk: Tensor = self.exit(hidden)
        return chunk.view(-1, *self.shape)


class TinyWindows:
    """Made-up windows in memory; the action is a function of the state, so there is something to learn."""

    def __init__(self, contract: Contract, stats: Mapping[str, Any], count: int = 10) -> None:
        self.stats = stats
        self._all = random_batch(contract, size=count)
        self._all["action"] = self._all["observation.state"][:, -1:, :2].expand(-1, contract.pred_horizon, -1).clone()
        del self._all["seed"]
        half = count // 2
        self.episodes = (range(half), range(half, count))
        self.images = dict.fromkeys(contract.cameras, "made up")

    def __len__(self) -> int:
        return len(self._all["action"])

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        return {key: value[indices] for key, value in self._all.items()}

    def spoil(self, value: float) -> None:
        """Set every number of every action to this value."""
        self._all["action"][:] = value


class TrainTiny(Protocol):
    """Trains the tiny recipe, as the fixture ``tiny_run`` does."""

    def __call__(self, name: str | Path = "run", *, recipe: Recipe = ..., **changes: Any) -> TrainResult:
        """``changes`` are fields of RunConfig, all others settings of training."""
