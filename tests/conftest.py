"""Fixtures that several rooms share: catalogue, recipe, data and training of the tiny agent in ``support/tiny.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub_server import Hub, point_at, running
from tiny import TinyConfig, TinyHead, TinyTrunk, TinyWindows, TrainTiny
from trunkzoo.agent.example import unit_statistics
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.catalogue.part import Part
from trunkzoo.plugin import Contract, HeadSpec, TrunkSpec
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.registry.train_config import EmaConfig, TrainConfig
from trunkzoo.training.config import TrainResult


@pytest.fixture
def tiny_catalogue() -> Catalogue:
    """A catalogue with the trunk ``tiny/trunk`` and the head ``tiny/head``."""
    trunk = TrunkSpec(name="trunk", summary="", config=TinyConfig, build=lambda config: TinyTrunk(config.width))
    head = HeadSpec(name="head", summary="", config=TinyConfig, build=lambda c, contract: TinyHead(c.width, contract))
    row = PluginRow(name="tiny", distribution="tiny-parts", version="1.0", api="1", target="tiny", status="ok")
    return Catalogue((row,), {"tiny/trunk": trunk}, {"tiny/head": head}, {})


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
    return unit_statistics(tiny_recipe.contract)


@pytest.fixture
def tiny_windows(tiny_recipe: Recipe, tiny_stats: Mapping[str, Any]) -> TinyWindows:
    """Ten windows: with batches of four the third step crosses an epoch."""
    return TinyWindows(tiny_recipe.contract, tiny_stats)


@pytest.fixture
def tiny_run(tiny_recipe: Recipe, tiny_windows: TinyWindows, tiny_catalogue: Catalogue, tmp_path: Path) -> TrainTiny:
    """Train the tiny recipe: ``tiny_run("name", steps=4)``; fields of RunConfig, all others settings of training."""
    from trunkzoo.training.config import RunConfig
    from trunkzoo.training.loop import train_on

    def run(name: str | Path = "run", *, recipe: Recipe = tiny_recipe, **changes: Any) -> TrainResult:
        own = {key: changes.pop(key) for key in changes.keys() & RunConfig.model_fields.keys()}
        settings = {**recipe.model_dump(), "train": {**recipe.train.model_dump(), **changes}}
        config = {"recipe": settings, "data": tmp_path, "output": tmp_path / name, "device": "cpu", **own}
        checked = RunConfig.model_validate(config)
        return train_on(checked, resolve(checked.recipe, tiny_catalogue), lambda: tiny_windows)

    return run


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine that huggingface_hub speaks to, with a cache of its own."""
    with running() as hub:
        point_at(hub, str(tmp_path / "hub-cache"), monkeypatch)
        yield hub
