"""timm's families as trunks: each builds for two sizes, keeps its declared shape and trains a step. `make test-timm`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import unit_statistics
from trunkzoo.agent.numbers import count_parameters
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import CheckpointError, ConfigError
from trunkzoo.export.export import export_agent
from trunkzoo.plugin import IMAGENET
from trunkzoo.registry import open_zoo
from trunkzoo.testing import checks_for, subject_of
from trunkzoo.testing.check import run_check

FAMILIES = (
    "resnet18",
    "regnety_002",
    "efficientnet_b0",
    "mobilenetv3_small_100",
    "convnextv2_atto",
    "densenet121",
    "vit_small_patch16_224",
    "deit_tiny_patch16_224",
    "eva02_tiny_patch14_224",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "pvt_v2_b0",
    "edgenext_xx_small",
)
README = Path(__file__).parents[3] / "plugins" / "trunkzoo_timm" / "README.md"
QUICK = ("declared-shapes", "any-batch-size", "every-parameter-learns", "state-dict-round-trip")
pytestmark = [
    pytest.mark.skipif(not (find_spec("timm") and find_spec("torchvision")), reason="make test-timm has timm"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
    pytest.mark.slow,
]


def build(**config: Any) -> Any:
    found = open_zoo().catalogue.configure("trunk", Part(name="timm/features", config=config))
    return found.spec.build(found.config)


@pytest.mark.parametrize("model", FAMILIES)
def test_a_family_builds_conforms_and_trains_a_step(model: str) -> None:
    spec = open_zoo().catalogue.trunks["timm/features"]
    for check in checks_for("trunk"):
        if check.name in QUICK:
            result = run_check(check, subject_of("timm/features", spec, {"model": model}))
            assert result.outcome == "passed", f"{check.name}: {result.detail}"
    torch.manual_seed(0)
    trunk = build(model=model).train()
    optimizer = torch.optim.AdamW([p for p in trunk.parameters() if p.requires_grad], 1e-3)
    for side in (96, 224):
        images = torch.randn(2, 3, side, side)
        features = trunk(images)
        assert features.shape == (2, trunk.out_channels, -(-side // trunk.stride), -(-side // trunk.stride))
        before = features.square().mean()
        optimizer.zero_grad()
        before.backward()
        optimizer.step()
        assert torch.isfinite(trunk(images)).all()
    row = f"| `{model}` | {count_parameters(trunk):,} | {trunk.out_channels} | {trunk.stride} |"
    assert row in README.read_text(encoding="utf-8"), f"the table of {README} lacks {row}"


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="pip install 'trunkzoo[onnx]'")
@pytest.mark.parametrize("model", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_a_family_exports(model: str, tmp_path: Path) -> None:
    zoo = open_zoo()
    agent = assemble(zoo.recipe("tour-resnet", {"trunk.model": model}, "timm/features"))
    agent.fit_normalizers(unit_statistics(agent.contract))
    record = export_agent(agent, tmp_path / "out", zoo.catalogue)
    assert max(parity.error for parity in record.parity) <= 1e-5


def test_position_embeddings_follow_the_image(tmp_path: Path) -> None:
    trunk = build(model="vit_tiny_patch16_224").eval()
    assert trunk.input_norm != IMAGENET
    images = torch.randn(1, 3, 90, 130)
    assert trunk(images).shape == (1, 192, 6, 9)


def test_weights_of_the_whole_model_are_taken_and_others_refused(tmp_path: Path) -> None:
    import timm
    from safetensors.torch import save_file

    for model in ("convnext_atto", "vit_tiny_patch16_224"):
        whole = timm.create_model(model).eval()
        save_file(whole.state_dict(), tmp_path / f"{model}.safetensors")
        trunk = build(model=model, weights=str(tmp_path / f"{model}.safetensors")).eval()
        images = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            expected = whole.forward_intermediates(images, intermediates_only=True)[-1]
            assert torch.allclose(trunk(images), expected, atol=1e-5)
    with pytest.raises(CheckpointError, match="it lacks"):
        build(model="resnet18", weights=str(tmp_path / "convnext_atto.safetensors"))


def test_a_model_that_is_none_is_one_line() -> None:
    with pytest.raises(ConfigError, match="timm model 'resnet81'"):
        build(model="resnet81")


def test_its_own_weights_have_a_name_with_a_tag() -> None:
    from trunkzoo_timm.config import hub_name

    assert hub_name("resnet18.tv_in1k") == "timm/resnet18.tv_in1k"
    assert hub_name("convnext_atto").startswith("timm/convnext_atto.")
    with pytest.raises(ValueError, match="has no weights"):
        hub_name("resnet81")
