"""Randomness belongs to the sample: same draws in any batch, on any rank, in any order."""

import math

import pytest
import torch

from trunkzoo.nn.draws import Draws, mix, sample_seeds

KNOWN_NORMALS = [0.550981, 0.082341, 0.520788, 0.983745]
KNOWN_UNIFORMS = [0.717754, 0.609206, 0.376385, 0.992225]


def test_mix_is_splitmix64() -> None:
    golden = 0x9E3779B97F4A7C15
    state, known = 1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]  # reference outputs
    for expected in known:
        state = (state + golden) % 2**64
        signed = state - 2**64 if state >= 2**63 else state
        assert int(mix(torch.tensor(signed))) % 2**64 == expected


def test_a_sample_draws_the_same_in_any_batch() -> None:
    seeds = sample_seeds(3, torch.arange(8))
    whole = Draws(seeds)
    part = Draws(seeds[5:6])
    for _ in range(2):
        torch.testing.assert_close(whole.normal(4, 3)[5:6], part.normal(4, 3), rtol=0, atol=0)
        torch.testing.assert_close(whole.uniform(2)[5:6], part.uniform(2), rtol=0, atol=0)


def test_calls_give_new_numbers() -> None:
    draws = Draws(sample_seeds(0, torch.arange(4)))
    assert not torch.equal(draws.normal(5), draws.normal(5))


def test_repeat_gives_independent_copies() -> None:
    x = Draws(sample_seeds(0, torch.arange(3))).repeat(2).normal(1000)
    correlation = torch.corrcoef(x)
    assert x.shape == (6, 1000)
    assert (correlation - torch.eye(6)).abs().max() < 0.15


def test_moments() -> None:
    draws = Draws(sample_seeds(1, torch.arange(500)))
    u, z = draws.uniform(200).double(), draws.normal(200).double()
    n = u.numel()
    assert abs(u.mean() - 0.5) < 5 / math.sqrt(12 * n)
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / n)
    assert u.min() > 0
    assert u.max() < 1


def test_seeds_differ_by_every_coordinate() -> None:
    seeds = sample_seeds(0, torch.arange(50)[:, None], torch.arange(50)[None, :]).flatten()
    assert len(set(seeds.tolist())) == 2500
    assert int(sample_seeds(0, 1, 2)) != int(sample_seeds(1, 1, 2))
    assert int(sample_seeds(0, 1, 2)) != int(sample_seeds(0, 2, 1))


def test_seeds_must_be_int64() -> None:
    with pytest.raises(ValueError, match=r"int64 of shape \(B,\)"):
        Draws(torch.zeros(3))


def test_the_numbers_never_change() -> None:
    draws = Draws(sample_seeds(3, torch.arange(2)).clone())
    assert draws.normal(2).flatten().tolist() == pytest.approx(KNOWN_NORMALS, abs=1e-5)
    assert draws.repeat(2).uniform().tolist() == pytest.approx(KNOWN_UNIFORMS, abs=1e-5)


@pytest.mark.slow
def test_compiled_draws_are_the_same_bits() -> None:
    def numbers(seeds: torch.Tensor) -> tuple[torch.Tensor, ...]:
        draws = Draws(seeds)
        return draws.normal(3, 4), draws.uniform(2), draws.repeat(3).normal(5)

    seeds = sample_seeds(3, torch.arange(5))
    for eager, compiled in zip(numbers(seeds), torch.compile(numbers, fullgraph=True)(seeds), strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-6, atol=1e-6)
