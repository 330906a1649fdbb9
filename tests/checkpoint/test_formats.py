"""Every released checkpoint format stays readable: one frozen checkpoint of each lies in fixtures/checkpoints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tiny import TinyWindows
from trunkzoo.agent.example import random_batch
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent, read_header
from trunkzoo.checkpoint.migrations import FORMAT
from trunkzoo.errors import CheckpointError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.training.config import RunConfig
from trunkzoo.training.loop import train_on

FIXTURES = Path(__file__).parents[1] / "fixtures" / "checkpoints"
FROZEN = sorted(FIXTURES.iterdir())


def test_there_is_a_frozen_checkpoint_of_every_format() -> None:
    assert [path.name for path in FROZEN] == [f"format-{number}" for number in range(1, FORMAT + 1)]


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda path: path.name)
def test_frozen_checkpoint_acts_as_it_did(frozen: Path, tiny_catalogue: Catalogue) -> None:
    agent = load_agent(frozen, tiny_catalogue)
    chunk = agent.predict(random_batch(agent.contract), torch.zeros(2, 4, 2))
    expected = json.loads((frozen / "expected.json").read_text())["zero_noise_chunk"]
    torch.testing.assert_close(chunk, torch.tensor(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda path: path.name)
def test_frozen_checkpoint_can_be_trained_on(
    frozen: Path, tiny_catalogue: Catalogue, tiny_windows: TinyWindows, tmp_path: Path
) -> None:
    recipe = Recipe.model_validate(read_header(frozen).recipe)
    config = RunConfig(recipe=recipe, data=tmp_path, output=tmp_path / "run", device="cpu", stop_at=1)
    train_on(config, resolve(config.recipe, tiny_catalogue), lambda: tiny_windows)
    shutil.copytree(frozen, tmp_path / "run" / "checkpoints" / "step-000008")
    settings = {**recipe.train.model_dump(), "steps": 10}
    longer = recipe.model_copy(update={"train": type(recipe.train).model_validate(settings)})
    more = config.model_copy(update={"recipe": longer, "resume": True, "stop_at": None})
    assert train_on(more, resolve(more.recipe, tiny_catalogue), lambda: tiny_windows).step == 10


def test_older_format_goes_through_its_migration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_catalogue: Catalogue
) -> None:
    from trunkzoo.checkpoint import migrations

    def rename(metadata: dict[str, str]) -> dict[str, str]:
        return {key: value.replace("chunk_length", "pred_horizon") for key, value in metadata.items()}

    monkeypatch.setattr(migrations, "MIGRATIONS", {0: rename})
    old = tmp_path / "model.safetensors"
    data = (FROZEN[-1] / "model.safetensors").read_bytes().replace(b"pred_horizon", b"chunk_length")
    old.write_bytes(data.replace(b'"format":"1"', b'"format":"0"'))
    assert load_agent(old, tiny_catalogue).contract.pred_horizon == 4


def test_format_that_never_was(tmp_path: Path) -> None:
    old = tmp_path / "model.safetensors"
    data = (FROZEN[-1] / "model.safetensors").read_bytes()
    old.write_bytes(data.replace(b'"format":"1"', b'"format":"0"'))
    with pytest.raises(CheckpointError, match="format 0, which no release"):
        read_header(old)
