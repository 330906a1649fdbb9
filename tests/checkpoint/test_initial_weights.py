"""A checkpoint holds its own weights: the file that a trunk started from may be gone when it is loaded."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

import trunkzoo
from trunkzoo.agent.example import random_batch, unit_statistics
from trunkzoo.checkpoint import save_model


def test_a_model_loads_without_the_file_its_trunk_started_from(tmp_path: Path) -> None:
    file = tmp_path / "resnet18.safetensors"
    donor = trunkzoo.create_trunk("resnet-18", width=16)
    assert isinstance(donor, nn.Module)
    save_file(donor.state_dict(), file)
    recipe = trunkzoo.load_recipe(
        "imf-resnet18-demo", {"trunk.norm": "batch", "trunk.weights": str(file), "train.ema.enabled": False}
    )
    agent = trunkzoo.assemble(recipe).eval()
    entry = agent.encoder.get_parameter("trunks.0.conv1.weight")
    assert torch.equal(entry, donor.get_parameter("conv1.weight"))
    agent.fit_normalizers(unit_statistics(agent.contract))
    save_model(tmp_path / "model.safetensors", agent)
    file.unlink()
    loaded = trunkzoo.load_agent(tmp_path / "model.safetensors")
    obs, noise = random_batch(agent.contract), torch.randn(2, 32, 16)
    assert torch.equal(loaded.predict(obs, noise), agent.predict(obs, noise))
    assert loaded.recipe.trunk.config["weights"] == str(file)
