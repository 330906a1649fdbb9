"""A whole agent that trains in milliseconds: a real trunk, a real head and their catalogue, too small to be useful."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.plugin import Config, Contract, Draws, HeadSpec, TrunkSpec
from trunkzoo.registry.recipe import Part, Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.registry.train_config import EmaConfig, TrainConfig


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
        self.norm = nn.GroupNorm(2, width)
        self.exit = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.exit(torch.relu(self.norm(self.entry(images))))


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
        return self.exit(hidden).view(-1, *self.shape)


def plugin_row(**changes: Any) -> PluginRow:
    """The row of the plugin that ships the tiny parts."""
    facts = {"distribution": "tiny-parts", "version": "1.0", "api": "1", "target": "tiny", "status": "ok"}
    return PluginRow(**{"name": "tiny", **facts, **changes})


@pytest.fixture
def tiny_catalogue() -> Catalogue:
    """A catalogue with the trunk ``tiny/trunk`` and the head ``tiny/head``."""
    trunk = TrunkSpec(name="trunk", summary="", config=TinyConfig, build=lambda config: TinyTrunk(config.width))
    head = HeadSpec(name="head", summary="", config=TinyConfig, build=lambda c, contract: TinyHead(c.width, contract))
    return Catalogue((plugin_row(),), {"tiny/trunk": trunk}, {"tiny/head": head}, {})


@pytest.fixture
def tiny_recipe() -> Recipe:
    """2 cameras of 16 × 16, two observations, chunks of 4 actions; 8 steps of batch 4."""
    contract = Contract(
        cameras=("front", "wrist"),
        image_size=(16, 16),
        state_dim=3,
        action_dim=2,
        keypoints=4,
        camera_dim=5,
        cond_dim=13,
        pred_horizon=4,
        num_action_steps=2,
    )
    train = TrainConfig(
        steps=8, batch_size=4, lr=1e-2, warmup_steps=2, checkpoint_every=4, log_every=2, ema=EmaConfig(decay_max=0.9)
    )
    return Recipe(name="tiny", trunk=Part(name="trunk"), head=Part(name="head"), contract=contract, train=train)


@pytest.fixture
def tiny_stats(tiny_recipe: Recipe) -> Mapping[str, Any]:
    """Statistics that map [-1, 1] to itself."""
    from trunkzoo.agent.example import unit_statistics

    return unit_statistics(tiny_recipe.contract)


class TinyWindows:
    """Made-up windows in memory; the action is a function of the state, so there is something to learn."""

    def __init__(self, contract: Contract, stats: Mapping[str, Any], count: int = 10) -> None:
        from trunkzoo.agent.example import random_batch

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


@pytest.fixture
def tiny_windows(tiny_recipe: Recipe, tiny_stats: Mapping[str, Any]) -> TinyWindows:
    """Ten windows: with batches of four the third step crosses an epoch."""
    return TinyWindows(tiny_recipe.contract, tiny_stats)


@pytest.fixture
def tiny_run(tiny_recipe: Recipe, tiny_windows: TinyWindows, tiny_catalogue: Catalogue, tmp_path: Path) -> Any:
    """Train the tiny recipe: ``tiny_run("name", steps=4)``; fields of RunConfig, all others settings of training."""
    from trunkzoo.training.loop import fit
    from trunkzoo.training.run import RunConfig

    def run(name: str | Path = "run", *, recipe: Recipe = tiny_recipe, **changes: Any) -> Any:
        own = {key: changes.pop(key) for key in changes.keys() & RunConfig.model_fields.keys()}
        settings = {**recipe.model_dump(), "train": {**recipe.train.model_dump(), **changes}}
        config = {"recipe": settings, "data": tmp_path, "output": tmp_path / name, "device": "cpu", **own}
        checked = RunConfig.model_validate(config)
        return fit(checked, resolve(checked.recipe, tiny_catalogue), lambda: tiny_windows)

    return run
