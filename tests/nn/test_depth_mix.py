"""Depth attention against its formula in float64, and the stack module against the paper's grouping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from trunkzoo.nn.depth import depth_mix, depth_weights
from trunkzoo.nn.mixing import parse_mixing
from trunkzoo.nn.norms import EPS, RMSNorm
from trunkzoo.nn.stack import DepthMix, collect_weights, relative_entropy

MIXINGS = ("full", "block(2)", "uniform", "static", "residual")
PATHS = pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])


def formula(query: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """Eq. 2-4 word for word, channels last."""
    v = torch.stack(list(sources))
    keys = v / (v.square().mean(-1, keepdim=True) + EPS).sqrt()
    alpha = (keys * query).sum(-1, keepdim=True).softmax(0)
    return (alpha * v).sum(0)


def sources_of(n: int, *shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(n)]


def query_of(channels: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return sources_of(1, channels, dtype=dtype, seed=9)[0] * 0.5


@PATHS
@pytest.mark.parametrize("n", [1, 2, 5])
def test_tokens_follow_the_formula(n: int, fused: bool) -> None:
    sources, query = sources_of(n, 2, 3, 8), query_of(8)
    torch.testing.assert_close(depth_mix(query, sources, fused=fused), formula(query, sources), rtol=1e-12, atol=1e-12)


@PATHS
def test_maps_follow_the_formula(fused: bool) -> None:
    sources, query = sources_of(3, 2, 8, 4, 5), query_of(8)
    expected = formula(query, [v.movedim(1, -1) for v in sources]).movedim(-1, 1)
    torch.testing.assert_close(depth_mix(query, sources, dim=1, fused=fused), expected, rtol=1e-12, atol=1e-12)


@PATHS
def test_a_zero_query_averages(fused: bool) -> None:
    sources = sources_of(4, 2, 3, 8)
    mixed = depth_mix(torch.zeros(8, dtype=torch.float64), sources, fused=fused)
    torch.testing.assert_close(mixed, torch.stack(sources).mean(0))


@pytest.mark.parametrize("dim", [-1, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_a_traced_mix_has_few_operations_and_the_same_values(dim: int, masked: bool) -> None:
    sources, query = sources_of(5, 2, 8, 4, 8), query_of(8)
    positions = (2, 8, 4) if dim == -1 else (2, 4, 8)
    mask = torch.rand(5, *positions, generator=torch.Generator().manual_seed(0)) > 0.3 if masked else None
    if mask is not None:
        mask[0] = True
    traced = torch.jit.trace(lambda *v: depth_mix(query, v, dim=dim, mask=mask, fused=True), tuple(sources))
    expected = depth_mix(query, sources, dim=dim, mask=mask)
    torch.testing.assert_close(traced(*sources), expected, rtol=1e-12, atol=1e-12)
    operations = [node for node in traced.graph.nodes() if node.kind().startswith("aten::")]
    assert len(operations) < 25


def test_weights_sum_to_one() -> None:
    weights = depth_weights(query_of(8) * 10, sources_of(4, 2, 8, 3, 3), dim=1)
    assert weights.shape == (4, 2, 3, 3)
    torch.testing.assert_close(weights.sum(0), torch.ones(2, 3, 3, dtype=torch.float64))


@PATHS
def test_a_masked_zero_source_is_as_if_absent(fused: bool) -> None:
    a, b, c = sources_of(3, 2, 3, 8)
    mask = torch.tensor([True, False, True])[:, None, None]
    mixed = depth_mix(query_of(8), [a, torch.zeros_like(b), c], mask=mask, fused=fused)
    torch.testing.assert_close(mixed, formula(query_of(8), [a, c]), rtol=1e-12, atol=1e-12)


@PATHS
def test_a_pixel_is_mixed_on_its_own(fused: bool) -> None:
    sources, query = sources_of(3, 1, 8, 4, 4), query_of(8)
    before = depth_mix(query, sources, dim=1, fused=fused)
    changed = [v.clone() for v in sources]
    for v in changed:
        v[0, :, 2, 1] += 3
    moved = (depth_mix(query, changed, dim=1, fused=fused) != before).any(1)[0]
    assert moved.nonzero().tolist() == [[2, 1]]


@pytest.mark.parametrize("per_position", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_closed_form_backward_passes_gradcheck(per_position: bool, masked: bool) -> None:
    sources = [v.requires_grad_() for v in sources_of(3, 2, 3, 4)]
    query = (sources_of(1, 2, 3, 4, seed=5)[0] if per_position else query_of(4)).requires_grad_()
    mask = torch.tensor([True, False, True])[:, None, None] if masked else None
    assert torch.autograd.gradcheck(lambda q, *v: depth_mix(q, v, mask=mask, fused=True), (query, *sources))


@PATHS
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_precision_against_float64(dtype: torch.dtype, bound: float, fused: bool) -> None:
    sources, query = sources_of(5, 2, 16, 64, dtype=dtype), query_of(64, torch.float32)
    results = []
    for cast in (dtype, torch.float64):
        leaves = [query.to(torch.float32 if cast == dtype else cast), *(v.to(cast) for v in sources)]
        leaves = [leaf.requires_grad_() for leaf in leaves]
        mixed = depth_mix(leaves[0], leaves[1:], fused=fused and cast == dtype)
        results.append([mixed, *torch.autograd.grad(mixed.double().square().sum(), leaves)])
    for ours, exact in zip(*results, strict=True):
        assert (ours.double() - exact).norm() / exact.norm() < bound


@PATHS
def test_autocast_leaves_the_scores_exact(fused: bool) -> None:
    sources, query = sources_of(3, 2, 16, 64, dtype=torch.bfloat16), query_of(64, torch.float32) * 4
    expected = depth_mix(query, sources, fused=fused)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(depth_mix(query, sources, fused=fused), expected)


@PATHS
def test_an_all_zero_source_has_a_bounded_gradient(fused: bool) -> None:
    zero, other = torch.zeros(2, 3, 8, requires_grad=True), torch.ones(2, 3, 8)
    (gradient,) = torch.autograd.grad(depth_mix(query_of(8).float(), [zero, other], fused=fused).sum(), [zero])
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 10 / math.sqrt(EPS)


def test_the_plain_path_has_forward_derivatives() -> None:
    sources, tangents, query = sources_of(3, 2, 3, 8), sources_of(3, 2, 3, 8, seed=1), query_of(8)
    forward = torch.func.jvp(lambda *v: depth_mix(query, v), tuple(sources), tuple(tangents))[1]
    step = 1e-6
    ahead = depth_mix(query, [v + step * t for v, t in zip(sources, tangents, strict=True)])
    behind = depth_mix(query, [v - step * t for v, t in zip(sources, tangents, strict=True)])
    torch.testing.assert_close(forward, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-7)


def stack(mixing: str, depth: int = 4, **settings: Any) -> DepthMix:
    mix = DepthMix(8, depth, parse_mixing(mixing), **settings).double()
    for parameter in mix.parameters():
        torch.nn.init.normal_(parameter)
    return mix


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("carried", [0, 2])
def test_weights_are_what_a_read_multiplies_with(mixing: str, carried: int) -> None:
    mix = stack(mixing, carried=carried, query_rank=2 if mixing in ("full", "block(2)") else 0)
    entry, *rest = sources_of(1 + carried + 4, 2, 3, 8)
    sources = mix.start(entry, rest[:carried])
    separate = [*rest[:carried], entry]  # what uniform and residual keep as one sum
    for output in rest[carried:]:
        values = sources.values if mix.mixing.learned else separate
        weighted = (mix.weights(sources).double().unsqueeze(-1) * torch.stack(values)).sum(0)
        torch.testing.assert_close(mix(sources), weighted, rtol=1e-6, atol=1e-6)
        sources.append(output)
        separate.append(output)


def test_a_block_reads_finished_sums_and_its_own_partial_sum() -> None:
    mix = stack("block(2)")
    v = sources_of(5, 2, 3, 8)
    sources = mix.start(v[0])
    grouped = []
    for output in v[1:]:
        sources.append(output)
        grouped.append(sources.values)
    expected = [[v[0], v[1]], [v[0], v[1] + v[2]], [v[0], v[1] + v[2], v[3]], [v[0], v[1] + v[2], v[3] + v[4]]]
    for ours, paper in zip(grouped[-1], expected[-1], strict=True):
        torch.testing.assert_close(ours, paper)
    assert [sum(n > 1 for n in (1, *map(len, expected)))] == [len(mix.reads)]


@pytest.mark.parametrize("mixing", ["full", "block(2)", "static"])
@pytest.mark.parametrize("carried", [0, 1])
@pytest.mark.parametrize("given", [0, 1])
def test_every_parameter_is_used(mixing: str, carried: int, given: int) -> None:
    mix = stack(mixing, carried=carried, given=given)
    first, *outputs = sources_of(5, 2, 3, 8)
    sources = mix.start(first, sources_of(carried, 2, 3, 8, seed=1))
    reads = []
    for i, output in enumerate(outputs):
        if i >= given:
            reads.append(mix(sources))
        sources.append(output)
    torch.stack([*reads, mix(sources)]).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in mix.parameters())


def test_queries_start_at_zero_and_are_named_for_the_optimiser() -> None:
    mix = DepthMix(8, 3, parse_mixing("full"))
    assert [name for name, _ in mix.named_parameters()] == ["reads.1.query", "reads.2.query", "reads.3.query"]
    assert not any(p.any() for p in mix.parameters())


def test_a_low_rank_query_starts_as_the_plain_one() -> None:
    plain, ranked = (DepthMix(8, 2, parse_mixing("full"), query_rank=rank) for rank in (0, 2))
    values = sources_of(3, 2, 3, 8, dtype=torch.float32)
    mixed = []
    for mix in (plain, ranked):
        sources = mix.start(values[0])
        for output in values[1:]:
            sources.append(output)
        mixed.append(mix(sources))
    torch.testing.assert_close(mixed[0], mixed[1])


def test_weights_are_collected_by_read() -> None:
    mix = stack("full", depth=2)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = mix

        def forward(self, x: Tensor) -> Tensor:
            sources = self.mix.start(x)
            for _ in range(2):
                sources.append(self.mix(sources).tanh())
            return self.mix(sources)

    found = collect_weights(Net(), *sources_of(1, 2, 3, 8))
    assert {name: w.shape[0] for name, w in found.items()} == {"mix.0": 1, "mix.1": 2, "mix.2": 3}


def test_relative_entropy_spans_uniform_to_one_source() -> None:
    uniform, single = torch.full((4, 3), 0.25), torch.eye(4)[:, :1]
    assert relative_entropy(uniform) == pytest.approx(1)
    assert relative_entropy(single) == 0


@pytest.mark.parametrize("text", ["", "blocks(2)", "block", "block(0)", "block(-1)", "Full"])
def test_an_unknown_mixing_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=f"mixing '{text.replace('(', '.').replace(')', '.')}' is not one of"):
        parse_mixing(text)


@pytest.mark.parametrize("dim", [-1, 1])
def test_rms_norm_follows_its_formula(dim: int) -> None:
    x = sources_of(1, 2, 4, 4)[0]
    norm = RMSNorm(4, dim=dim).double()
    torch.nn.init.normal_(norm.weight)
    last = x.movedim(dim, -1)
    expected = (last / (last.square().mean(-1, keepdim=True) + EPS).sqrt() * norm.weight).movedim(-1, dim)
    torch.testing.assert_close(norm(x), expected, rtol=1e-12, atol=1e-12)
