"""AttnRes trunks: size, gradients, shapes, and what any trunk must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attnres_cases import FAMILIES, SPECS, images_of, small, with_queries
from trunkzoo.agent.numbers import count_multiply_adds, count_parameters
from trunkzoo.errors import ConfigError
from trunkzoo.nn.stack import relative_entropy
from trunkzoo.plugin import parse
from trunkzoo_attnres.config import AttnResConfig
from trunkzoo_attnres.model import AttnResTrunk
from trunkzoo_attnres.tokens import position_code, window_attention

RESNET_18 = {"parameters": 11_176_512, 96: 333_103_104, 224: 1_813_561_344}


@FAMILIES
def test_size_is_that_of_resnet_18(family: str) -> None:
    spec = SPECS[family]
    trunk = AttnResTrunk(spec.config(**spec.defaults))
    assert count_parameters(trunk) / RESNET_18["parameters"] == pytest.approx(1, abs=0.05)
    for size in (96, 224):
        assert count_multiply_adds(trunk, size) / RESNET_18[size] == pytest.approx(1, abs=0.15)


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
def test_depth_weights_are_shares_of_the_sources(family: str) -> None:
    trunk = with_queries(small(family))
    found = trunk.depth_weights(images_of(2, 64, 64))
    stages: list[Any] = list(trunk.stages)
    assert len(found) == sum(len(stage.sublayers) + 1 for stage in stages)
    last = found[f"stages.3.mix.{len(stages[3].sublayers) + (family == 'conv-18')}"]
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
