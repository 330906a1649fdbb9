"""Fixtures of the checkpoint tests: a tiny agent with random weights, and the file it was saved to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import save_model
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve


@pytest.fixture
def agent(tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any]) -> Agent:
    """The tiny agent with the weights of seed 3."""
    built = assemble(resolve(tiny_recipe, tiny_catalogue), seed=3)
    built.fit_normalizers(tiny_stats)
    return built.eval()


@pytest.fixture
def saved(agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> Path:
    """Its model file, written at step 7."""
    path = tmp_path / "model.safetensors"
    save_model(path, agent, step=7)
    return path
