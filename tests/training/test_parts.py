"""The parts of training against closed forms."""

from __future__ import annotations

import math
from collections.abc import Generator

import pytest
import torch
from torch import nn

from tiny import TinyWindows
from trunkzoo.errors import DataError
from trunkzoo.nn.mixing import parse_mixing
from trunkzoo.nn.stack import DepthMix
from trunkzoo.registry.train_config import EmaConfig, TrainConfig
from trunkzoo.training.batches import Loader, Sampler
from trunkzoo.training.optimizer import Ema, adamw, decayed, ema_decay, learning_rate, set_rate

# ── Batches ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_epoch_sees_every_window_once() -> None:
    sampler = Sampler(seed=1, windows=10, batch_size=4)
    drawn = torch.cat([sampler.indices(step) for step in range(5)])  # two epochs of ten
    first, second = drawn[:10], drawn[10:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert first.tolist() != second.tolist()


def test_indices_depend_on_seed_and_step_alone() -> None:
    backwards = Sampler(seed=1, windows=10, batch_size=25)
    later = [backwards.indices(step) for step in (7, 3, 0)]
    again = [Sampler(seed=1, windows=10, batch_size=25).indices(step) for step in (7, 3, 0)]
    assert all(torch.equal(a, b) for a, b in zip(later, again, strict=True))
    assert not torch.equal(later[0], Sampler(seed=2, windows=10, batch_size=25).indices(7))


def test_no_window_is_an_error() -> None:
    with pytest.raises(DataError, match="no training window"):
        Sampler(seed=0, windows=0, batch_size=1)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_do_not_depend_on_workers_shares_or_parts(tiny_windows: TinyWindows, workers: int) -> None:
    sampler = Sampler(seed=0, windows=10, batch_size=8)
    whole = [parts[0] for parts in Loader(tiny_windows, sampler, slice(0, 8), 1, 0).steps(0, 6)]
    shares = [
        list(Loader(tiny_windows, Sampler(0, 10, 8), share, 2, workers).steps(0, 6))
        for share in (slice(0, 4), slice(4, 8))
    ]
    for step, batch in enumerate(whole):
        parts = shares[0][step] + shares[1][step]
        assert all(torch.equal(torch.cat([part[key] for part in parts]), batch[key]) for key in batch)


def test_leaving_the_loader_early_ends_its_threads(tiny_windows: TinyWindows) -> None:
    import threading

    before = threading.active_count()
    steps = Loader(tiny_windows, Sampler(0, 10, 2), slice(0, 2), 1, 3).steps(0, 1000)
    next(steps)
    assert isinstance(steps, Generator)
    steps.close()
    assert threading.active_count() == before


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_learning_rate_warms_up_then_follows_a_cosine() -> None:
    config = TrainConfig(steps=110, warmup_steps=10, lr=1.0, final_lr_fraction=0.02)
    assert [learning_rate(step, config) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert learning_rate(60, config) == pytest.approx((1 + 0.02) / 2)
    assert learning_rate(110, config) == pytest.approx(0.02)


def test_ema_decay_is_the_published_one() -> None:
    config = EmaConfig(decay_max=0.9999)
    assert ema_decay(0, config) == 0
    assert ema_decay(99, config) == pytest.approx(1 - 100**-0.75)
    assert ema_decay(10**6, config) == 0.9999


def test_ema_averages_parameters_and_leaves_buffers_alone() -> None:
    module, config = nn.BatchNorm1d(3), EmaConfig(decay_max=0.9)
    ema, expected = Ema(module, config), torch.zeros(3, dtype=torch.float64)
    for step in range(20):
        with torch.no_grad():
            module.weight.copy_(torch.full((3,), math.sin(step)))
        module(torch.randn(8, 3))
        ema.update()
        decay = min(0.9, 1 - (1 + step) ** -0.75)
        expected = decay * expected + (1 - decay) * math.sin(step)
    weights = ema.weights(module)
    torch.testing.assert_close(weights["weight"].double(), expected, atol=1e-6, rtol=0)
    assert module.running_mean is not None
    assert torch.equal(weights["running_mean"], module.running_mean)


def test_matrices_decay_and_nothing_else() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.table = nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Embedding(5, 4)
            self.depth_query = nn.Parameter(torch.zeros(2, 4))
            self.frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)

    assert list(decayed(Net())) == ["conv.weight"]


class Read(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.static_query, self.query = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_queries_may_move_faster(scale: float) -> None:
    net = Read()
    optimizer = adamw(net, TrainConfig(query_lr_scale=scale, weight_decay=0))
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = net.linear.bias.detach().clone()
    set_rate(optimizer, 1e-3)
    optimizer.step()  # Adam's first step is the rate, whatever the gradient
    torch.testing.assert_close(before - net.linear.bias, torch.full((2,), 1e-3))
    for query in (net.query, net.static_query):
        torch.testing.assert_close(query.detach(), torch.full((4,), -scale * 1e-3))


def test_what_a_low_rank_query_reads_by_is_a_query_and_its_projection_is_a_matrix() -> None:
    mix = DepthMix(8, 2, parse_mixing("full"), query_rank=2)
    optimizer = adamw(mix, TrainConfig(query_lr_scale=10))
    names = {id(parameter): name.rpartition(".")[2] for name, parameter in mix.named_parameters()}
    scaled = [group for group in optimizer.param_groups if group.get("lr_scale") == 10]
    assert {names[id(parameter)] for group in scaled for parameter in group["params"]} == {"query", "up_query"}
    assert {name.rpartition(".")[2] for name in decayed(mix)} == {"down"}


def test_an_unscaled_optimiser_has_the_groups_that_checkpoints_hold() -> None:
    assert [len(group["params"]) for group in adamw(Read(), TrainConfig()).param_groups] == [1, 3]
