"""The heads' settings, the law of (r, t), the samplers and the baselines."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trunkzoo.errors import ConfigError
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin import Config, Contract, parse
from trunkzoo_imf.config import (
    DDIMConfig,
    DriftConfig,
    FlowConfig,
    IMFConfig,
    InstantTimes,
    IntervalTimes,
    RegressionConfig,
)
from trunkzoo_imf.ddim import DDIMHead, Prediction, levels, squared_cosine, to_clean, to_target
from trunkzoo_imf.drift import DriftHead
from trunkzoo_imf.flow import FlowHead
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.objective import adaptive, bounded
from trunkzoo_imf.regression import RegressionHead
from trunkzoo_imf.times import draw_instant, draw_interval, shift

REFERENCE = Contract(cameras=("a", "b", "c"), image_size=(96, 96), state_dim=16, action_dim=16, cond_dim=208)
ONE = REFERENCE.model_copy(update={"obs_horizon": 1, "pred_horizon": 2, "num_action_steps": 1, "action_dim": 3})
TINY = {"width": 16, "blocks": 2, "heads": 2}
MANY = 40_000


def many() -> Draws:
    return Draws(sample_seeds(7, torch.arange(MANY)))


# ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("head", "config"),
    [
        (IMFHead, IMFConfig()),
        (FlowHead, FlowConfig()),
        (DDIMHead, DDIMConfig()),
        (DriftHead, DriftConfig()),
        (RegressionHead, RegressionConfig()),
    ],
)
def test_default_size(head: type[nn.Module], config: Config) -> None:
    with torch.device("meta"):
        parameters = sum(p.numel() for p in head(config, REFERENCE).parameters())
    assert 9.0e6 < parameters < 9.6e6


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (IMFConfig, {"min_time": 0.1}, "min_time only acts"),
        (IMFConfig, {"weight_power": 0, "weight_offset": 1.0}, "weight_offset only acts"),
        (IMFConfig, {"tangent": "data", "v_weight": 2.0}, "v_weight only acts"),
        (IMFConfig, {"width": 100}, "multiple of 2 × heads"),
        (IMFConfig, {"mixing": "block(0)"}, "mixing"),
        (IMFConfig, {"times": {"one_step_share": 0.6, "noise_share": 0.4}}, "must stay below 1"),
        (IMFConfig, {"times": {"span_share": 0.5, "noise_share": 0.5}}, "must stay below 1"),
        (IMFConfig, {"times": {"equal_share": 0}}, "times.equal_share"),
        (DDIMConfig, {"sample_steps": 200}, "exceeds train_steps"),
        (DDIMConfig, {"clip_sample": None}, "needs clip_sample"),
    ],
)
def test_settings_that_cannot_work_are_refused(model: type[Config], values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(model, values, "head")


@pytest.mark.parametrize(
    "config", [IMFConfig(tangent="data", weight_power=0), FlowConfig(), DDIMConfig(), DriftConfig(), RegressionConfig()]
)
def test_a_resolved_config_may_state_every_field(config: Config) -> None:
    assert type(config).model_validate(config.model_dump(mode="json")) == config


# ── Times ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_published_law_of_the_interval() -> None:
    """iMF: t and r are the larger and smaller of two logit-normal draws, and r = t in half of the samples."""
    r, t = draw_interval(many(), IntervalTimes())
    assert bool((r > 0).all() and (r <= t).all() and (t < 1).all())
    assert (r == t).float().mean().item() == pytest.approx(0.5, abs=0.01)
    spread_of_pair = torch.logit(t.double()) - torch.logit(r.double())
    expected = 2 / torch.pi**0.5  # E|a − b| of two standard normals
    assert spread_of_pair[r < t].mean().item() == pytest.approx(expected, abs=0.02)
    assert torch.logit(t.double()).mean().item() == pytest.approx(-0.4 + expected / 2, abs=0.02)


def test_forced_shares() -> None:
    r, t = draw_interval(many(), IntervalTimes(one_step_share=0.2, noise_share=0.1))
    assert ((r == 0) & (t == 1)).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert ((r == 1) & (t == 1)).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert ((r == t) & (t < 1)).float().mean().item() == pytest.approx(0.35, abs=0.01)


def test_spans_end_at_noise_and_begin_anywhere() -> None:
    r, t = draw_interval(many(), IntervalTimes(one_step_share=0.1, span_share=0.3, noise_share=0.2))
    assert (t == 1).float().mean().item() == pytest.approx(0.6, abs=0.01)
    begin = r[(t == 1) & (r > 0) & (r < 1)]
    assert len(begin) / MANY == pytest.approx(0.3, abs=0.01)
    assert begin.mean().item() == pytest.approx(0.5, abs=0.01)
    assert begin.std().item() == pytest.approx(12**-0.5, abs=0.01)


def test_a_law_without_spans_takes_no_further_draw() -> None:
    """Spans came later: what a recipe without them trains on has not moved."""
    draws, law = many(), IntervalTimes(one_step_share=0.4, noise_share=0.1)
    draw_interval(draws, law)
    others = many()
    for _ in range(2):
        others.normal()
    others.uniform()
    assert torch.equal(draws.normal(), others.normal())


def test_time_shift_moves_flow_matching_towards_noise() -> None:
    plain, shifted = (draw_instant(many(), InstantTimes(shift=alpha)) for alpha in (1.0, 4.0))
    torch.testing.assert_close(shifted, 4 * plain / (1 + 3 * plain))
    assert shift(torch.ones(1), 4.0).item() == 1


def test_noise_share_of_flow_matching() -> None:
    t = draw_instant(many(), InstantTimes(noise_share=0.25))
    assert (t == 1).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_condition_dropout_forgets_the_condition() -> None:
    torch.manual_seed(0)
    head = FlowHead(FlowConfig.model_validate(TINY | {"cond_dropout": 0.999999}), ONE)
    nn.init.normal_(head.get_parameter("network.outputs.0.weight"))
    x, valid = torch.rand(3, 2, 3), torch.ones(3, 2, dtype=torch.bool)
    losses = [head(cond, x, valid, Draws(torch.arange(3)))["loss"] for cond in torch.randn(2, 3, 1, 208)]
    assert torch.equal(*losses)


# ── Weights and bounds ──────────────────────────────────────────────────────────────────────────────────────────────


def test_adaptive_weight_is_the_published_one_and_constant() -> None:
    error = torch.tensor([0.5, 2.0], requires_grad=True)
    loss = adaptive(error, size=32, power=1, offset=0.01)
    loss.backward()
    torch.testing.assert_close(loss, (error / (error + 0.01)).mean())
    torch.testing.assert_close(error.grad, 0.5 / (error.detach() + 0.01))


def test_without_weight_the_loss_is_the_mean_square() -> None:
    error = torch.tensor([8.0, 16.0])
    torch.testing.assert_close(adaptive(error, size=32, power=0, offset=0.01), torch.tensor(12 / 32))


@pytest.mark.parametrize(("size", "kept"), [(0.5, 0.5), (3.0, 1.0)])
def test_bound_shrinks_outliers_only(size: float, kept: float) -> None:
    reference = torch.tensor([[[3.0, 4.0]]])
    shrunk, ratio = bounded(size * reference, reference, torch.ones(1, 1, dtype=torch.bool), 1.0)
    torch.testing.assert_close(shrunk, kept * reference)
    assert ratio.item() == pytest.approx(size)


# ── Baselines ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_noise_levels_are_the_squared_cosine() -> None:
    signal = squared_cosine(100)
    s = torch.arange(100, dtype=torch.float64) / 100
    cosine = torch.cos((s + 0.008) / 1.008 * torch.pi / 2) ** 2
    torch.testing.assert_close(signal[:100], cosine / cosine[0])
    assert 0 < signal[100] < 1e-6


def test_ddim_visits_the_noisiest_level_first_and_data_last() -> None:
    assert levels(100, 4) == [100, 75, 50, 25, 0]


@pytest.mark.parametrize("prediction", ["epsilon", "v", "sample"])
def test_every_prediction_stands_for_the_clean_chunk(prediction: Prediction) -> None:
    x, e = torch.randn(2, 4, 3, dtype=torch.float64)
    a, s = torch.tensor(0.6, dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64)
    torch.testing.assert_close(to_clean(to_target(x, e, a, s, prediction), a * x + s * e, a, s, prediction), x)


class GaussianDenoiser(nn.Module):
    """E[v | z] for chunks x ~ N(0.2, 0.4²) on the head's own noise levels."""

    def __init__(self, signal: Tensor) -> None:
        super().__init__()
        self.signal = signal

    def forward(self, z: Tensor, r: Tensor, t: Tensor, cond: Tensor) -> tuple[Tensor]:
        a2 = self.signal[(t * 100).round().long()].to(z.dtype)[:, None, None]
        a, s = a2.sqrt(), (1 - a2).sqrt()
        x = 0.2 + 0.16 * a / (0.16 * a2 + 1 - a2) * (z - 0.2 * a)
        return (a * (z - a * x) / s - s * x,)


@torch.no_grad()
def test_ddim_with_the_exact_denoiser_samples_the_data() -> None:
    head = DDIMHead(
        DDIMConfig.model_validate(TINY | {"prediction": "v", "clip_sample": None, "sample_steps": 100}), ONE
    )
    head.register_module("network", GaussianDenoiser(head.signal))
    noise = torch.randn(2000, 2, 3, generator=torch.Generator().manual_seed(0))
    chunk = head.sample(torch.zeros(2000, 1, 208), noise)
    assert chunk.mean().item() == pytest.approx(0.2, abs=0.02)
    assert chunk.std().item() == pytest.approx(0.4, abs=0.02)


@torch.no_grad()
def test_regression_ignores_the_noise() -> None:
    torch.manual_seed(0)
    head = RegressionHead(RegressionConfig.model_validate(TINY), ONE)
    nn.init.normal_(head.get_parameter("network.outputs.0.weight"))
    cond = torch.randn(2, 1, 208)
    assert torch.equal(head.sample(cond, torch.randn(2, 2, 3)), head.sample(cond, torch.randn(2, 2, 3)))
    assert head.sample(cond, torch.randn(2, 2, 3)).std() > 0


def test_regression_loss_is_the_absolute_error_of_valid_actions() -> None:
    head = RegressionHead(RegressionConfig.model_validate(TINY), ONE)  # predicts zero when fresh
    actions = torch.tensor([[[1.0, -2.0, 3.0], [9.0, 9.0, 9.0]]])
    log = head(torch.zeros(1, 1, 208), actions, torch.tensor([[True, False]]), Draws(torch.arange(1)))
    assert log["l1"].item() == pytest.approx(2)
