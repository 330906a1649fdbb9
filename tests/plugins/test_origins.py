"""Weights of other packages give those packages' own features: files as they save them, with statistics as after training."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trunkzoo

TOLERANCE = 1e-5
IMAGES = torch.randn(2, 3, 96, 112, generator=torch.Generator().manual_seed(0))
with_torchvision = pytest.mark.skipif(
    find_spec("torchvision") is None, reason="torchvision is not installed: make test-timm has it"
)
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def as_trained(net: nn.Module) -> nn.Module:
    """``net`` with no weight and no statistic at its initial value, where a confused pair would not show."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * parameter.std(correction=0).clamp(min=0.1) * torch.randn_like(parameter))
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.1 * torch.rand_like(buffer))
    return net.eval()


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= TOLERANCE * theirs.abs().max()


def features(name: str, **settings: Any) -> Tensor:
    trunk: Any = trunkzoo.create_trunk(name, **settings)
    with torch.no_grad():
        found: Tensor = trunk.eval()(IMAGES)
    return found


@with_torchvision
@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 34, 50])
def test_torchvisions_resnets(depth: int, tmp_path: Path) -> None:
    import torchvision

    net = as_trained(getattr(torchvision.models, f"resnet{depth}")())
    torch.save(net.state_dict(), tmp_path / "resnet.pth")
    with torch.no_grad():
        theirs = nn.Sequential(*list(net.children())[:-2])(IMAGES)
    assert_same(features(f"resnet-{depth}", weights=str(tmp_path / "resnet.pth")), theirs)
    assert_same(features(f"resnet-{depth}", weights=str(tmp_path / "resnet.pth"), frozen=True), theirs)


def test_dinov2_as_its_authors_publish_it(tmp_path: Path) -> None:
    """A directory of the whole model, as facebook/dinov2-small is, not of a backbone."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=48, num_attention_heads=3, num_hidden_layers=3, image_size=56, patch_size=14)
    net: Any = as_trained(Dinov2Model(config))
    net.save_pretrained(tmp_path)
    padded = nn.functional.pad(IMAGES, (0, 0, 0, 2))  # to whole patches of 14
    with torch.no_grad():
        tokens = net(padded).last_hidden_state[:, 1:]
    theirs = tokens.transpose(1, 2).reshape(2, 48, padded.shape[2] // 14, padded.shape[3] // 14)
    assert_same(features("transformers/backbone", weights=str(tmp_path)), theirs)
