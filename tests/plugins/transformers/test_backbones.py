"""The plugins that wrap other libraries' models: transformers, and timm where torchvision is there."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from trunkzoo.catalogue.part import Part
from trunkzoo.errors import CheckpointError, ConfigError, PluginError
from trunkzoo.plugin import TrunkSpec
from trunkzoo.registry import open_zoo
from trunkzoo.testing import check_records, checks_for, subject_of
from trunkzoo.testing.check import Check, run_check

VIT = {"settings.hidden_size": 32, "settings.num_attention_heads": 2, "settings.num_hidden_layers": 2}
SMALL: dict[str, dict[str, Any]] = {  # the record's architecture in a size that a test affords
    "dinov2-small": VIT | {"settings.image_size": 56},
    "dinov2-registers-small": VIT | {"settings.image_size": 56},
    "convnextv2-atto": {"settings.depths": [1, 1, 1, 1], "settings.hidden_sizes": [8, 16, 24, 32]},
    "swin-tiny": {
        "settings.embed_dim": 16,
        "settings.depths": [1, 1, 1, 1],
        "settings.num_heads": [1, 2, 2, 4],
        "settings.image_size": 64,
    },
}
QUICK = {"declared-shapes", "any-batch-size", "every-parameter-learns", "state-dict-round-trip", "works-in-the-agent"}
needs_timm = pytest.mark.skipif(
    not (find_spec("timm") and find_spec("torchvision")), reason="timm imports torchvision, which is not installed"
)
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def specs() -> dict[str, TrunkSpec[Any]]:
    return dict(open_zoo().catalogue.trunks)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "check",
    [pytest.param(c, id=c.name, marks=[] if c.name in QUICK else pytest.mark.slow) for c in checks_for("trunk")],
)
def test_a_transformers_backbone_conforms(
    name: str, check: Check[TrunkSpec[Any]], specs: dict[str, TrunkSpec[Any]]
) -> None:
    id = f"transformers/{name}"
    result = run_check(check, subject_of(id, specs[id], SMALL[name]))
    assert result.outcome == "passed", result.detail


def save_backbone(directory: Path) -> Any:
    from transformers import AutoBackbone, ResNetConfig

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    net = AutoBackbone.from_config(config)
    net.save_pretrained(directory)
    return net


def test_a_directory_gives_architecture_settings_and_weights(tmp_path: Path, specs: dict[str, TrunkSpec[Any]]) -> None:
    net = save_backbone(tmp_path).eval()
    spec = specs["transformers/backbone"]
    subject = subject_of("transformers/backbone", spec, {"weights": str(tmp_path)})
    trunk = spec.build(subject.config).eval()
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(trunk(images), net(images).feature_maps[-1])


def test_a_checkpoint_is_rebuilt_where_the_directory_is_gone(tmp_path: Path, specs: dict[str, TrunkSpec[Any]]) -> None:
    save_backbone(tmp_path)
    spec = specs["transformers/backbone"]
    config = subject_of("transformers/backbone", spec, {"weights": str(tmp_path)}).config
    kept = {key: value for key, value in config.model_dump(mode="json").items() if key not in spec.initial}
    again = spec.build(spec.config.model_validate(kept))
    again.load_state_dict(spec.build(config).state_dict(), strict=True)


def test_weights_that_lack_a_parameter_are_refused(tmp_path: Path, specs: dict[str, TrunkSpec[Any]]) -> None:
    from safetensors.torch import load_file, save_file

    save_backbone(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(key for key in weights if key.endswith("weight"))
    save_file({key: value for key, value in weights.items() if key != lost}, tmp_path / "model.safetensors")
    spec = specs["transformers/backbone"]
    with pytest.raises(CheckpointError, match="does not fit resnet"):
        spec.build(subject_of("transformers/backbone", spec, {"weights": str(tmp_path)}).config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "no-such"}, "architecture 'no-such'"),
        ({"settings": {"out_indices": [1]}}, "use stage instead"),
        ({"weights": "/nowhere"}, "give a directory of save_pretrained"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str, specs: dict[str, TrunkSpec[Any]]) -> None:
    spec = specs["transformers/backbone"]
    with pytest.raises(ConfigError, match=message):
        spec.build(subject_of("transformers/backbone", spec, settings).config)


@pytest.mark.parametrize(
    "text", ["[" * 5000, '{"hidden_size": ' + "9" * 5000 + "}", '{"eps": NaN}', '"resnet"', "\x00"]
)
def test_a_config_beyond_the_limits_is_one_error(text: str, tmp_path: Path, specs: dict[str, TrunkSpec[Any]]) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json holds no configuration"):
        subject_of("transformers/backbone", specs["transformers/backbone"], {"weights": str(tmp_path)})


def test_a_frozen_backbone_stays_as_it_is(specs: dict[str, TrunkSpec[Any]]) -> None:
    spec = specs["transformers/convnextv2-atto"]
    trunk = spec.build(subject_of("t", spec, SMALL["convnextv2-atto"] | {"frozen": True}).config).train()
    assert not trunk.net.training
    assert not any(parameter.requires_grad for parameter in trunk.parameters())


@pytest.mark.skipif(find_spec("timm") is not None and find_spec("torchvision") is not None, reason="timm is installed")
def test_timm_says_how_to_install_it() -> None:
    from trunkzoo.agent.assemble import build_trunk

    with pytest.raises(PluginError, match=r"pip install 'trunkzoo\[timm\]'"):
        build_trunk(open_zoo().catalogue.configure("trunk", Part(name="timm/features")))


@needs_timm
def test_a_timm_model_conforms() -> None:
    report = check_records(open_zoo().catalogue, "timm/features")
    assert report.ok, [result for result in report.results if result.outcome == "failed"]
