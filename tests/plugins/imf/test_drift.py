"""The drifting field against its definition in float64, and what follows from it: balance, and modes with their share."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from imf_cases import SMALL, TINY
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo_imf.config import DriftConfig
from trunkzoo_imf.drift import DriftHead, chunk_drift, drift


def points(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel(x: Tensor, y: Tensor, temperature: float) -> float:
    return math.exp(-float((x - y).norm()) / temperature)


def plain_drift(x: Tensor, attracting: Sequence[Tensor], repelling: Sequence[Tensor], temperature: float) -> Tensor:
    """Σ over pairs of w⁺w⁻ (y⁺ − y⁻), w = k / √(Σ_y k · Σ_x k), one number at a time (N, D)."""
    everything = [*repelling, *attracting]
    rows = [sum(kernel(a, y, temperature) for y in everything) for a in x]
    columns = {id(y): sum(kernel(a, y, temperature) for a in x) for y in everything}

    def weight(i: int, y: Tensor) -> float:
        return kernel(x[i], y, temperature) / math.sqrt(rows[i] * columns[id(y)])

    field = torch.zeros_like(x)
    for i in range(len(x)):
        for plus in attracting:
            for minus in repelling:
                field[i] += weight(i, plus) * weight(i, minus) * (plus - minus)
    return field


def tau(value: float, n: int) -> Tensor:
    return torch.full((n,), value, dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_field_is_the_sum_over_pairs(temperature: float) -> None:
    x, attracting, repelling = points(2, 4, 3), points(2, 5, 3, seed=1), points(2, 6, 3, seed=2)
    field = drift(x, attracting, repelling, tau(temperature, 2))
    for i in range(2):
        wanted = plain_drift(x[i], list(attracting[i]), list(repelling[i]), temperature)
        torch.testing.assert_close(field[i], wanted, rtol=1e-9, atol=1e-12)


def test_exchanging_data_and_samples_turns_the_field_round() -> None:
    x, one, other = points(2, 4, 3), points(2, 5, 3, seed=1), points(2, 5, 3, seed=2)
    torch.testing.assert_close(drift(x, one, other, tau(0.7, 2)), -drift(x, other, one, tau(0.7, 2)))


def test_where_both_distributions_agree_nothing_moves() -> None:
    x, both = points(2, 4, 3), points(2, 5, 3, seed=1)
    assert drift(x, both, both.flip(1), tau(0.7, 2)).abs().max() < 1e-12
    assert drift(x, both, both + 1, tau(0.7, 2)).abs().max() > 0.05


def test_one_sample_and_one_datum_in_closed_form() -> None:
    """With weights a, b of datum and sample, which sum over y to one: √a √b (y⁺ − y⁻)."""
    x, plus, minus = torch.zeros(1, 1, 1), torch.tensor([[[1.0]]]), torch.tensor([[[-2.0]]])
    a = 1 / (1 + math.exp(-1.0))  # exp(−1) against exp(−2)
    wanted = math.sqrt(a * (1 - a)) * 3
    assert drift(x, plus, minus, torch.ones(1)).item() == pytest.approx(wanted, rel=1e-6)


def test_particles_leave_one_mode_for_both_in_their_shares() -> None:
    """The paper's toy: a cloud that starts inside one mode of two; without the push it would stay there."""
    g = torch.Generator().manual_seed(0)
    near = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    data = near[(torch.rand(200, generator=g) < 0.3).long()] + 0.05 * torch.randn(200, 2, generator=g)
    x = near[0] + 0.05 * torch.randn(200, 2, generator=g)
    itself = 100.0 * torch.eye(200)
    for _ in range(300):
        x = x + drift(x[None], data[None], x[None], torch.ones(1), itself)[0]
    right, wanted = x[:, 0] > 0, data[:, 0] > 0
    assert right.float().mean().item() == pytest.approx(wanted.float().mean().item(), abs=0.02)
    assert (x[right].mean(0) - near[1]).norm() < 0.05
    assert (x[~right].mean(0) - near[0]).norm() < 0.05
    assert 0.03 < x[~right].std(0).mean() < 0.12


def test_a_normalised_chunk_moves_in_its_own_scale() -> None:
    """Distances are measured in units of their mean: actions in other units move as far in those."""
    x, wanted = points(3, 4, 6), points(3, 1, 6, seed=1)
    move, scale = chunk_drift(x, wanted, (0.05, 0.2), normalised=True)
    larger, larger_scale = chunk_drift(10 * x, 10 * wanted, (0.05, 0.2), normalised=True)
    torch.testing.assert_close(larger, 10 * move)
    torch.testing.assert_close(larger_scale, 10 * scale)


@pytest.mark.parametrize("normalised", [False, True])
def test_an_observation_moves_alone(normalised: bool) -> None:
    x, wanted = points(3, 4, 6), points(3, 1, 6, seed=1)
    alone = chunk_drift(x[:1], wanted[:1], (0.05, 0.2), normalised)[0]
    torch.testing.assert_close(chunk_drift(x, wanted, (0.05, 0.2), normalised)[0][:1], alone)


def test_a_near_chunk_pulls_harder_than_a_far_one() -> None:
    """What keeps modes where one chunk is seen at a time, and what normalised fields give up."""
    x, towards = points(1, 4, 6) * 0.01, torch.ones(1, 1, 6, dtype=torch.float64)
    near, far = (chunk_drift(x, distance * towards, (0.3,))[0].norm() / distance for distance in (0.2, 2.0))
    assert near > 5 * far


def test_the_gradient_is_towards_the_drifted_sample() -> None:
    torch.manual_seed(0)
    head = DriftHead(DriftConfig.model_validate(TINY | {"draws_per_sample": 3}), SMALL)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    cond, actions, valid = torch.randn(2, 2, 7), torch.rand(2, 5, 3), torch.ones(2, 5, dtype=torch.bool)
    seeds = sample_seeds(0, torch.arange(2))
    log = head(cond, actions, valid, Draws(seeds))
    noise = Draws(seeds).repeat(3).normal(5, 3)
    x = head.sample(cond.repeat_interleave(3, 0), noise)
    move, _ = chunk_drift(x.detach().flatten(1).unflatten(0, (2, 3)), actions.flatten(1)[:, None], (0.3,))
    torch.testing.assert_close(log["loss"], move.square().mean())
    bias = head.network.outputs[0].bias
    assert isinstance(bias, Tensor)
    (grad,) = torch.autograd.grad(log["loss"], bias)
    torch.testing.assert_close(grad, -2 * move.reshape(-1, 3).sum(0) / move.numel())
