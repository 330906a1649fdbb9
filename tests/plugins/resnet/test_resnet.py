"""ResNet trunks against the architecture written out by hand: keys, counts, and a function of the state dict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.errors import CheckpointError, ConfigError, UsageError
from trunkzoo.plugin import parse
from trunkzoo_resnet import trunkzoo_trunks
from trunkzoo_resnet.config import ResNetConfig
from trunkzoo_resnet.model import ResNet

COUNTS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
PARAMETERS = {18: 11_176_512, 34: 21_284_672, 50: 23_508_032}  # torchvision's, less the classifier
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
Depth = Literal[18, 34, 50]
DEPTHS = pytest.mark.parametrize("depth", [18, 34, 50])


def small(depth: Depth = 18, **settings: Any) -> ResNet:
    torch.manual_seed(0)
    return ResNet(depth, ResNetConfig(width=16, **settings))


def expected_keys(depth: int) -> set[str]:
    """torchvision's key list, by its rule."""
    convs = 3 if depth == 50 else 2
    keys = {"conv1.weight", *(f"bn1.{n}" for n in NORM)}
    for layer, count in enumerate(COUNTS[depth], start=1):
        for block in range(count):
            at = f"layer{layer}.{block}"
            keys |= {f"{at}.conv{i}.weight" for i in range(1, convs + 1)}
            keys |= {f"{at}.bn{i}.{n}" for i in range(1, convs + 1) for n in NORM}
            if block == 0 and (layer > 1 or depth == 50):
                keys |= {f"{at}.downsample.0.weight", *(f"{at}.downsample.1.{n}" for n in NORM)}
    return keys


def reference(images: Tensor, state: Mapping[str, Tensor], depth: int, output_stride: int, groups: bool) -> Tensor:
    """The evaluation pass of a dilated ResNet as a plain function of its weights."""

    def conv(x: Tensor, key: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = state[f"{key}.weight"]
        return F.conv2d(x, weight, None, stride, dilation * (weight.shape[-1] // 2), dilation)

    def norm(x: Tensor, key: str) -> Tensor:
        weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
        if groups:
            return F.group_norm(x, x.shape[1] // 16, weight, bias, 1e-5)
        return F.batch_norm(
            x, state[f"{key}.running_mean"], state[f"{key}.running_var"], weight, bias, False, 0.1, 1e-5
        )

    x = F.max_pool2d(norm(conv(images, "conv1", 2), "bn1").relu(), 3, 2, 1)
    dilation = 1
    for layer, count in enumerate(COUNTS[depth], start=1):
        stride, first = (1 if layer == 1 else 2), dilation
        if 4 * 2 ** (layer - 1) > output_stride:
            dilation, stride = dilation * stride, 1
        for block in range(count):
            at = f"layer{layer}.{block}"
            s, d = (stride, first) if block == 0 else (1, dilation)
            if depth == 50:
                y = norm(conv(x, f"{at}.conv1"), f"{at}.bn1").relu()
                y = norm(conv(y, f"{at}.conv2", s, d), f"{at}.bn2").relu()
                y = norm(conv(y, f"{at}.conv3"), f"{at}.bn3")
            else:
                y = norm(conv(x, f"{at}.conv1", s, d), f"{at}.bn1").relu()
                y = norm(conv(y, f"{at}.conv2", 1, dilation if block else d), f"{at}.bn2")
            if f"{at}.downsample.0.weight" in state:
                x = norm(conv(x, f"{at}.downsample.0", s), f"{at}.downsample.1")
            x = (x + y).relu()
    return x


def shake_norms(trunk: nn.Module) -> None:
    """Give every norm affine parameters and statistics of its own, so that none can be left out unseen."""
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            for name, tensor in module.state_dict().items():
                if name != "num_batches_tracked":
                    nn.init.uniform_(tensor, 0.5, 1.5)


@DEPTHS
def test_parameter_count_is_torchvisions(depth: Depth) -> None:
    with torch.device("meta"):
        trunk = ResNet(depth, ResNetConfig())
    assert sum(p.numel() for p in trunk.parameters()) == PARAMETERS[depth]


@DEPTHS
@pytest.mark.parametrize("frozen", [False, True])
def test_state_dict_keys_are_torchvisions(depth: Depth, frozen: bool) -> None:
    with torch.device("meta"):
        trunk = ResNet(depth, ResNetConfig(frozen=frozen))
    assert set(trunk.state_dict()) == expected_keys(depth)


@DEPTHS
@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("output_stride", [32, 16, 8])
@pytest.mark.parametrize("size", [(64, 64), (75, 33)])
def test_output_is_that_of_the_plain_function(
    depth: Depth, norm: str, output_stride: int, size: tuple[int, int]
) -> None:
    trunk = small(depth, norm=norm, output_stride=output_stride)
    shake_norms(trunk)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        features = trunk.eval()(images)
        expected = reference(images, trunk.state_dict(), depth, output_stride, norm == "group")
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    assert features.shape[1:] == (trunk.out_channels, *(-(-side // trunk.stride) for side in size))


def test_convolutions_start_with_he_initialisation_over_the_fan_out() -> None:
    weight = ResNet(18, ResNetConfig()).get_parameter("layer4.1.conv2.weight")
    assert float(weight.detach().std()) == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_channels_last_stays() -> None:
    trunk = small()
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub leaves the argument out
    images = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    assert trunk(images).is_contiguous(memory_format=torch.channels_last)


def test_another_number_of_image_channels() -> None:
    assert small(in_channels=4).eval()(torch.randn(1, 4, 32, 32)).shape == (1, 128, 1, 1)


def test_frozen_batch_norm_neither_trains_nor_follows_the_batch() -> None:
    trunk = small(frozen=True).train()
    before = {k: v.clone() for k, v in trunk.state_dict().items() if "bn" in k}
    trunk(torch.randn(4, 3, 64, 64)).sum().backward()
    assert all(torch.equal(v, trunk.state_dict()[k]) for k, v in before.items())
    assert all(p.requires_grad == ("bn" not in n and "downsample.1" not in n) for n, p in trunk.named_parameters())


def weight_file(path: Path, state: Mapping[str, Tensor]) -> Path:
    tensors = {key: value.contiguous() for key, value in state.items()}
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return path


def build(**settings: Any) -> nn.Module:
    spec = next(iter(trunkzoo_trunks()))
    trunk: nn.Module = spec.build(ResNetConfig(width=16, **settings))
    return trunk


@pytest.mark.parametrize("name", ["r18.safetensors", "r18.pth"])
def test_a_weight_file_loads_without_its_classifier(tmp_path: Path, name: str) -> None:
    donor = small()
    shake_norms(donor)
    classifier = {"fc.weight": torch.zeros(10, 128), "fc.bias": torch.zeros(10)}
    loaded = build(weights=weight_file(tmp_path / name, donor.state_dict() | classifier))
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in donor.state_dict().items())


def test_an_old_weight_file_has_no_batch_counters(tmp_path: Path) -> None:
    state = {k: v for k, v in small().state_dict().items() if not k.endswith("num_batches_tracked")}
    loaded = build(weights=weight_file(tmp_path / "old.pth", state))
    assert torch.equal(loaded.state_dict()["conv1.weight"], state["conv1.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer1.0.conv1.weight": None}, r"missing layer1\.0\.conv1\.weight"),
        ({"head.weight": torch.zeros(1)}, r"unknown head\.weight"),
        ({"conv1.weight": torch.zeros(16, 1, 7, 7)}, r"conv1\.weight is \(16, 1, 7, 7\) in the file, \(16, 3, 7, 7\)"),
    ],
)
def test_a_weight_file_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    state = {k: v for k, v in {**small().state_dict(), **change}.items() if v is not None}
    with pytest.raises(CheckpointError, match=message):
        build(weights=weight_file(tmp_path / "bad.safetensors", state))


def test_batch_norm_weights_are_not_converted_to_group_norm(tmp_path: Path) -> None:
    path = weight_file(tmp_path / "bn.safetensors", small().state_dict())
    with pytest.raises(CheckpointError, match="batch-norm weights, but the trunk has norm = 'group'"):
        build(weights=path, norm="group")


def test_group_norm_weights_load_into_a_group_norm_trunk(tmp_path: Path) -> None:
    donor = small(norm="group")
    path = weight_file(tmp_path / "gn.safetensors", donor.state_dict())
    assert torch.equal(build(weights=path, norm="group").state_dict()["conv1.weight"], donor.conv1.weight)


@pytest.mark.parametrize("name", ["absent.pth", "weights.onnx"])
def test_an_unreadable_weight_path_is_refused_by_name(tmp_path: Path, name: str) -> None:
    if name.endswith("onnx"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=name):
        build(weights=tmp_path / name)


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_a_damaged_weight_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not a weight file")
    with pytest.raises(CheckpointError, match=name):
        build(weights=tmp_path / name)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "group", "width": 24}, "width 24 is not a multiple of 16"),
        ({"norm": "group", "frozen": True}, "only batch norm has statistics to freeze"),
        ({"output_stride": 7}, "output_stride = 7"),
        ({"norm": "layer"}, "norm = 'layer'"),
        ({"width": 0}, "width = 0"),
    ],
)
def test_a_bad_setting_is_refused_with_its_value(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(ResNetConfig, settings, "trunk")
