"""Pretrained weights by their name on the hub: tiny real files from a hub on this machine, pinned and never asked for again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

import trunkzoo
from hub_server import Hub
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.checkpoint import save_model
from trunkzoo.errors import CheckpointError, ConfigError, HubError, PluginError
from trunkzoo.registry import open_zoo
from trunkzoo_cli.app import main

CARD = b"---\ntags:\n- image-classification\nlicense: apache-2.0\n---\n# eyes\n"
TIMM = {
    "architecture": "resnet18",
    "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "input_size": [3, 64, 64]},
}
NAME = "someone/resnet18.small"


@pytest.fixture
def resnet(hub: Hub) -> tuple[dict[str, torch.Tensor], str]:
    """Weights of a narrow ResNet-18 with a classifier, as timm keeps them; their commit."""
    trunk: Any = trunkzoo.create_trunk("resnet-18", width=16)
    state = {key: value.clone() for key, value in trunk.state_dict().items()}
    whole = {**state, "fc.weight": torch.ones(3, 128), "fc.bias": torch.ones(3)}
    tree = {"model.safetensors": save(whole), "config.json": json.dumps(TIMM).encode(), "README.md": CARD}
    return state, hub.add(NAME, {**tree, "pytorch_model.bin": b"pickle"})


def small(weights: str) -> Any:
    changes = {"trunk.norm": "batch", "trunk.frozen": True, "trunk.weights": weights, "train.ema.enabled": False}
    return open_zoo().recipe("imf-resnet18-demo", {**changes, "contract.image_size": 32})


def test_a_name_gives_its_weights_and_is_pinned(resnet: tuple[dict[str, torch.Tensor], str], hub: Hub) -> None:
    state, commit = resnet
    recipe = small(f"hf:{NAME}")
    assert recipe.recipe.trunk.config["weights"] == f"hf:{NAME}@{commit}"
    trunk = assemble(recipe).encoder.trunks[0]
    assert all(torch.equal(trunk.state_dict()[key], value) for key, value in state.items())
    assert not any(parameter.requires_grad for name, parameter in trunk.named_parameters() if "bn" in name)
    assert not any(line.endswith(".bin") for line in hub.asked)


def test_a_checkpoint_holds_the_commit_and_never_asks_again(
    resnet: tuple[dict[str, torch.Tensor], str], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = assemble(small(f"hf:{NAME}")).eval()
    agent.fit_normalizers(unit_statistics(agent.contract))
    save_model(tmp_path / "model.safetensors", agent)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    hub.repos.clear()
    hub.asked.clear()
    again = trunkzoo.load_agent(tmp_path / "model.safetensors")
    assert hub.asked == []
    assert again.recipe.trunk.config["weights"] == f"hf:{NAME}@{resnet[1]}"
    batch, noise = random_batch(agent.contract), random_noise(agent.contract, 2)
    assert torch.equal(again.predict(batch, noise), agent.predict(batch, noise))


def test_without_a_network_the_cache_serves_and_else_the_command_is_said(
    resnet: tuple[dict[str, torch.Tensor], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=rf"trunk\.weights: hf:{NAME}.* `hf download {NAME}"):
        small(f"hf:{NAME}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assemble(small(f"hf:{NAME}"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assemble(small(f"hf:{NAME}"))


def test_weights_of_another_network_are_refused(resnet: tuple[dict[str, torch.Tensor], str], hub: Hub) -> None:
    hub.add("someone/other", {"model.safetensors": save({"x": torch.zeros(1)}), "config.json": b"{}"})
    hub.add("someone/none", {"config.json": b"{}"})
    with pytest.raises((PluginError, CheckpointError), match="does not fit this trunk"):
        assemble(small("hf:someone/other"))
    with pytest.raises(HubError, match=r"has no model\.safetensors"):
        assemble(small("hf:someone/none"))


def test_show_tells_what_came_with_the_weights(
    resnet: tuple[dict[str, torch.Tensor], str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["show", "resnet-18", "--set", "width=16", "--set", f"weights=hf:{NAME}", "--json"])
    shown = json.loads(capsys.readouterr().out)["weights"]
    assert shown["name"] == f"hf:{NAME}@{resnet[1]}"
    assert (shown["licence"], shown["mean"], shown["trained at"]) == ("apache-2.0", [0.5, 0.4, 0.3], [3, 64, 64])


def test_transformers_takes_architecture_settings_and_weights_from_a_name(hub: Hub, tmp_path: Path) -> None:
    from transformers import AutoBackbone, Dinov2Config

    config = Dinov2Config(hidden_size=32, num_attention_heads=2, num_hidden_layers=2, image_size=56, patch_size=14)
    net = AutoBackbone.from_config(config).eval()
    net.save_pretrained(tmp_path / "net")
    tree = {path.name: path.read_bytes() for path in (tmp_path / "net").iterdir()}
    commit = hub.add("someone/dino", {**tree, "preprocessor_config.json": b'{"image_mean": [0.5, 0.5, 0.5]}'})
    from trunkzoo.catalogue.part import Part

    part = Part(name="transformers/backbone", config={"weights": "hf:someone/dino"})
    found = open_zoo().catalogue.configure("trunk", part)
    kept = found.as_part().config
    assert (kept["weights"], kept["architecture"], kept["input_norm"]) == (
        f"hf:someone/dino@{commit}",
        "dinov2",
        "symmetric",
    )
    trunk: Any = found.spec.build(found.config).eval()
    images = torch.randn(2, 3, 56, 56)
    assert torch.equal(trunk(images), net(images).feature_maps[-1])


def test_timm_has_a_name_for_its_own_weights_by_their_tag() -> None:
    from trunkzoo_timm.config import TimmConfig, hub_name

    assert hub_name("resnet18.tv_in1k") == "timm/resnet18.tv_in1k"
    with pytest.raises(ValueError, match="keep one"):
        TimmConfig(model="resnet18.tv_in1k", pretrained=True, weights=Path("mine.safetensors"))
