"""AttnRes trunks: size, the identity with their residual control, and what any trunk must do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.bench.trunks import count_multiply_adds, count_parameters
from trunkzoo.config import parse
from trunkzoo.errors import ConfigError
from trunkzoo.nn.stack import relative_entropy
from trunkzoo_attnres import trunkzoo_trunks
from trunkzoo_attnres.config import AttnResConfig
from trunkzoo_attnres.model import AttnResTrunk
from trunkzoo_attnres.tokens import position_code, window_attention

SPECS = {spec.name.removeprefix("attnres-"): spec for spec in trunkzoo_trunks()}
FAMILIES = pytest.mark.parametrize("family", SPECS)
RESNET_18 = {"parameters": 11_176_512, 96: 333_103_104, 224: 1_813_561_344}
SMALL = {"widths": (16, 32, 48, 64), "heads": (1, 2, 3, 4), "depths": (2, 2, 3, 2)}


def small(family: str, **settings: Any) -> AttnResTrunk:
    torch.manual_seed(0)
    spec = SPECS[family]
    return AttnResTrunk(spec.config(**{**spec.defaults, **SMALL, **settings}))


def with_queries(trunk: AttnResTrunk) -> AttnResTrunk:
    """Queries as after some training, so that the weights differ from uniform."""
    for name, parameter in trunk.named_parameters():
        if name.endswith("query"):
            nn.init.normal_(parameter, std=0.3)
    return trunk


def images_of(n: int, *size: int) -> Tensor:
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(1))


@FAMILIES
def test_size_is_that_of_resnet_18(family: str) -> None:
    spec = SPECS[family]
    trunk = AttnResTrunk(spec.config(**spec.defaults))
    assert count_parameters(trunk) / RESNET_18["parameters"] == pytest.approx(1, abs=0.05)
    for size in (96, 224):
        assert count_multiply_adds(trunk, size) / RESNET_18[size] == pytest.approx(1, abs=0.15)


def output_and_gradients(trunk: AttnResTrunk) -> dict[str, Tensor]:
    trunk.double()
    for module in trunk.modules():
        if hasattr(module, "eps"):
            module.eps = 1e-30  # the identity is exact but for the norms' eps
    features = trunk(images_of(2, 64, 48).double())
    features.pow(3).sum().backward()
    gradients = {n: p.grad for n, p in trunk.named_parameters() if "query" not in n and p.grad is not None}
    return {"features": features.detach(), **gradients}


@FAMILIES
@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("mixing", ["block(2)", "uniform", "static", "residual"])
def test_at_zero_queries_every_mixing_is_the_same_function(family: str, mixing: str, carry: bool) -> None:
    depths = (3, 3, 3, 3)  # deep enough for blocks to group
    full = output_and_gradients(small(family, carry=carry, depths=depths))
    other = output_and_gradients(small(family, carry=carry, depths=depths, mixing=mixing))
    assert full.keys() == other.keys()
    for name, exact in full.items():
        scale = float(exact.abs().max())
        torch.testing.assert_close(other[name], exact, rtol=0, atol=1e-10 * scale, msg=lambda m, n=name: f"{n}: {m}")


def plain_prenorm_resnet(images: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """A pre-norm ResNet of two pairs per stage, additive residuals, as a plain function of the weights."""

    def norm_relu(x: Tensor, key: str) -> Tensor:
        return F.group_norm(x, x.shape[1] // 16, state[f"{key}.weight"], state[f"{key}.bias"]).relu()

    def conv(x: Tensor, key: str, stride: int = 1) -> Tensor:
        weight = state[f"{key}.weight"]
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)

    x = F.max_pool2d(norm_relu(conv(images, "stem.0", 2), "stem.1"), 3, 2, 1)
    for i in range(4):
        at, first = f"stages.{i}", 0
        if i:
            y = norm_relu(x, f"{at}.entry.norm")
            branch = conv(y, f"{at}.entry.branch.0", 2)
            x = conv(y, f"{at}.entry.shortcut", 2)
            x = x + conv(norm_relu(branch, f"{at}.entry.branch.1"), f"{at}.entry.branch.3")
            first = 1
        for j in range(2 - first):
            y = conv(norm_relu(x, f"{at}.sublayers.{j}.0"), f"{at}.sublayers.{j}.2")
            x = x + conv(norm_relu(y, f"{at}.sublayers.{j}.3"), f"{at}.sublayers.{j}.5")
    return norm_relu(x, "norm")


def test_the_residual_control_of_conv_18_is_a_pre_norm_resnet() -> None:
    trunk = small("conv-18", depths=(2, 2, 2, 2), mixing="residual").double()
    images = images_of(2, 64, 64).double()
    torch.testing.assert_close(trunk(images), plain_prenorm_resnet(images, trunk.state_dict()), rtol=1e-9, atol=1e-9)


@FAMILIES
@pytest.mark.parametrize(
    "settings", [{}, {"carry": True, "query_rank": 4}, {"mixing": "static", "carry": True}, {"mixing": "block(2)"}]
)
def test_every_parameter_gets_a_gradient(family: str, settings: dict[str, Any]) -> None:
    trunk = with_queries(small(family, **{"depths": (3, 3, 3, 3), **settings}))
    trunk(images_of(2, 64, 64)).square().sum().backward()
    assert [n for n, p in trunk.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@FAMILIES
@pytest.mark.parametrize("output_stride", [32, 16, 8])
@pytest.mark.parametrize("size", [(32, 32), (75, 101)])
def test_map_sides_are_rounded_up(family: str, output_stride: int, size: tuple[int, int]) -> None:
    trunk = small(family, output_stride=output_stride, carry=True)
    features = trunk(images_of(1, *size))
    assert features.shape == (1, trunk.out_channels, *(-(-side // trunk.stride) for side in size))
    assert features.isfinite().all()


@FAMILIES
def test_channels_last_stays(family: str) -> None:
    images = images_of(2, 64, 64).contiguous(memory_format=torch.channels_last)
    assert small(family)(images).is_contiguous(memory_format=torch.channels_last)


@FAMILIES
def test_an_image_does_not_see_its_batch(family: str) -> None:
    trunk, images = with_queries(small(family)).eval().double(), images_of(3, 75, 64).double()
    with torch.no_grad():
        torch.testing.assert_close(trunk(images)[1:2], trunk(images[1:2]), rtol=1e-9, atol=1e-9)


@FAMILIES
def test_trains_under_bfloat16_autocast(family: str) -> None:
    trunk, images = with_queries(small(family)), images_of(2, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        features = trunk(images)
    features.float().square().sum().backward()
    exact = trunk(images).detach()
    assert float((features.detach() - exact).norm() / exact.norm()) < 0.1
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trunk.parameters())


@FAMILIES
def test_state_dict_round_trips_bit_for_bit(family: str) -> None:
    trunk, copy = with_queries(small(family)), small(family)
    copy.load_state_dict(trunk.state_dict())
    with torch.no_grad():
        assert torch.equal(copy(images_of(1, 64, 64)), trunk(images_of(1, 64, 64)))


@FAMILIES
def test_compiles_as_one_graph(family: str) -> None:
    trunk = with_queries(small(family, depths=(1, 1, 2, 1), carry=True, query_rank=2))
    compiled = torch.compile(trunk, fullgraph=True, backend="aot_eager")
    images, weight = images_of(2, 64, 64), trunk.stem[0].weight
    ours, theirs = trunk(images), compiled(images)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
    (expected,) = torch.autograd.grad(ours.pow(3).sum(), weight)  # squares of a normed output sum to a constant
    (gradient,) = torch.autograd.grad(theirs.pow(3).sum(), weight)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@FAMILIES
def test_exports_with_a_free_batch(family: str) -> None:
    trunk = with_queries(small(family, depths=(1, 1, 2, 1))).eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(trunk, (images_of(2, 64, 64),), dynamic_shapes=({0: batch},))
    with torch.no_grad():
        images = images_of(5, 64, 64)
        torch.testing.assert_close(program.module()(images), trunk(images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@FAMILIES
def test_a_compiled_trunk_computes_the_same(family: str) -> None:
    trunk = with_queries(small(family, depths=(1, 1, 2, 1))).eval()
    with torch.no_grad():
        images = images_of(2, 64, 64)
        torch.testing.assert_close(torch.compile(trunk, fullgraph=True)(images), trunk(images), rtol=1e-3, atol=1e-4)


def test_trains_under_ddp_without_unused_parameters(tmp_path: Path) -> None:
    subprocess.run([sys.executable, __file__, str(tmp_path / "meeting")], check=True, timeout=300)


def train_under_ddp(meeting: str) -> None:
    """In a process of its own: gloo's threads may outlive the group, and wait for an interpreter that waits for them."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
    for family in SPECS:
        wrapped = nn.parallel.DistributedDataParallel(small(family, carry=True, query_rank=2))
        for _ in range(2):  # the second pass raises if a parameter got no gradient in the first
            wrapped(images_of(2, 64, 64)).square().sum().backward()
    os._exit(0)


@FAMILIES
def test_depth_weights_are_shares_of_the_sources(family: str) -> None:
    trunk = with_queries(small(family))
    found = trunk.depth_weights(images_of(2, 64, 64))
    assert len(found) == sum(len(s.sublayers) + 1 for s in trunk.stages)
    last = found[f"stages.3.mix.{len(trunk.stages[3].sublayers) + (family == 'conv-18')}"]
    assert last.shape[1:] == (2, 2, 2)
    assert 0 < float(relative_entropy(last)) < 1
    for weights in found.values():
        torch.testing.assert_close(weights.sum(0), torch.ones_like(weights[0]))


@pytest.mark.parametrize("side", [(8, 8), (9, 13), (5, 3)])
@pytest.mark.parametrize("window", [None, 4])
def test_window_attention_is_attention_among_the_cells_of_a_window(side: tuple[int, int], window: int | None) -> None:
    h, w = side
    qkv = torch.randn(2, h, w, 3 * 8, dtype=torch.float64)
    longest = [-(-s // -(-s // window)) if window else s for s in side]
    rows, cols = torch.meshgrid(torch.arange(h) // longest[0], torch.arange(w) // longest[1], indexing="ij")
    place = torch.stack([rows, cols], -1).flatten(0, 1)
    same = (place[:, None] == place[None]).all(-1)
    q, k, v = (x.unflatten(-1, (2, 4)).flatten(1, 2).transpose(1, 2) for x in qkv.chunk(3, -1))
    scores = (q @ k.mT / 2).masked_fill(~same, -torch.inf)
    expected = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2).unflatten(1, side)
    torch.testing.assert_close(window_attention(qkv, heads=2, window=window), expected)


def test_the_position_code_names_every_cell() -> None:
    code = position_code(torch.zeros(1, 16, 7, 9)).flatten(1).T
    assert torch.cdist(code, code).fill_diagonal_(1).min() > 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ("tokens",) * 4, "heads": (3, 4, 8, 16)}, "3 heads do not divide the width 64 of stage 1"),
        ({"widths": (40, 80, 160, 320)}, "width 40 of stage 1 is not a multiple of 16"),
        ({"kinds": ("tokens",) * 4, "window": 13, "image_size": 96}, r"window 13 .* stage 2: 12 cells at stride 8"),
        ({"depths": (2, 0, 2, 2)}, r"depths\.1 = 0"),
        ({"output_stride": 7}, "output_stride = 7"),
        ({"mixing": "blocks"}, "mixing 'blocks' is not one of"),
        ({"mixing": "block(2)"}, r"'block\(2\)' groups nothing: the deepest stage has 2 sublayers"),
        ({"mixing": "uniform", "query_rank": 4}, "query_rank 4 has no effect with mixing 'uniform'"),
        ({"query_rank": -1}, "query_rank = -1"),
        ({"kinds": ("pair", "pair", "pair", "mlp")}, r"kinds\.3 = 'mlp'"),
    ],
)
def test_a_bad_setting_is_refused_with_its_numbers(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(AttnResConfig, settings, "trunk")


if __name__ == "__main__":
    train_under_ddp(sys.argv[1])
