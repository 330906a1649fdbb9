"""The improved-MeanFlow loss of the real network against finite differences and a slow plain reference, in float64."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from imf_cases import MIXINGS, SMALL, TINY, batch, gradients, head_of
from trunkzoo.api import load_recipe
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.registry import open_zoo
from trunkzoo_imf.config import FlowConfig, IMFConfig
from trunkzoo_imf.derivative import total_derivative
from trunkzoo_imf.flow import FlowHead
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.objective import Samples, as_velocity
from trunkzoo_imf.times import draw_interval


def finite_difference(field: Callable[..., Tensor], z: Tensor, r: Tensor, t: Tensor, v: Tensor, h: float) -> Tensor:
    return (field(z + h * v, r, t + h) - field(z - h * v, r, t - h)) / (2 * h)


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("output", ["velocity", "sample"])
@torch.no_grad()
def test_jvp_equals_finite_differences(mixing: str, output: str) -> None:
    head = head_of(mixing=mixing, output=output)
    samples, r, t, e = batch()
    v = torch.randn(e.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    wanted = finite_difference(lambda z, r, t: head.velocities(z, r, t, samples.cond)[0], e, r, t, v, 1e-5)
    in_float64 = total_derivative(lambda z, r, t: head.velocities(z, r, t, samples.cond)[0], e, r, t, v)
    torch.testing.assert_close(in_float64, wanted, rtol=1e-7, atol=1e-7)
    head.float()
    e, r, t, v, cond = (x.float() for x in (e, r, t, v, samples.cond))
    in_float32 = total_derivative(lambda z, r, t: head.velocities(z, r, t, cond)[0], e, r, t, v)
    assert (in_float32 - wanted).norm() / wanted.norm() < 1e-5


def plain_loss(head: IMFHead, samples: Samples, r: Tensor, t: Tensor, e: Tensor) -> Tensor:
    """The loss of the paper, one sample at a time, with finite differences for du/dt."""
    losses = [plain_sample_loss(head, samples, i, r[i : i + 1], t[i : i + 1], e[i : i + 1]) for i in range(len(t))]
    return torch.stack(losses).mean()


def plain_sample_loss(head: IMFHead, samples: Samples, i: int, r: Tensor, t: Tensor, e: Tensor) -> Tensor:
    c, cond, x, keep = head.config, samples.cond[i : i + 1], samples.actions[i : i + 1], samples.valid[i][:, None]
    z, target = (1 - t) * x + t * e, e - x
    divisor = t.clamp_min(c.min_time) if c.output == "sample" else t
    wanted = (z - x) / divisor
    unit = divisor if c.error_in == "sample" else 1

    def average(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return head.velocities(z, r, t, cond)[0]

    with torch.no_grad():
        estimate = target if c.tangent == "data" else head.velocities(z, t, t, cond)[-1]
        v_hat = torch.where(keep, estimate, target)
        step = (t - r) * finite_difference(average, z, r, t, v_hat, 1e-5)
        ratio = (step * keep).norm() / (v_hat * keep).norm()
        if c.tangent_bound is not None and ratio > c.tangent_bound:
            step = step * c.tangent_bound / ratio
    u, *v = head.velocities(z, r, t, cond)
    loss = weighted(((u + step - wanted) ** 2 * unit**2 * keep).sum(), head)
    return loss + c.v_weight * weighted(((v[0] - wanted) ** 2 * unit**2 * keep).sum(), head) if v else loss


def weighted(error: Tensor, head: IMFHead) -> Tensor:
    p, numbers = head.config.weight_power, 5 * 3
    return error / (error.detach() + head.config.weight_offset) ** p / numbers ** (1 - p)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tangent": "boundary", "weight_power": 0.5},
        {"tangent": "data", "tangent_bound": None, "weight_power": 0},
        {"output": "sample", "v_weight": 0.5, "tangent_bound": 0.05},
        {"output": "sample", "error_in": "sample", "weight_power": 0, "min_time": 0.5},
        {"error_in": "sample", "weight_power": 0.5},
        {"mixing": "residual"},
    ],
    ids=lambda settings: ",".join(f"{key}={value}" for key, value in settings.items()) or "defaults",
)
def test_loss_and_gradients_equal_a_plain_reference(settings: dict[str, object]) -> None:
    head, drawn = head_of(**settings), batch()
    fast, slow = head.loss(*drawn)["loss"], plain_loss(head, *drawn)
    torch.testing.assert_close(fast, slow, rtol=1e-8, atol=0)
    for one, other in zip(gradients(fast, head), gradients(slow, head), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_the_bound_is_active_in_the_reference_case() -> None:
    log = head_of(output="sample", tangent_bound=0.05).loss(*batch())
    assert 0 < log["correction_bounded"] <= 1


def one_draw(r: float, t: float) -> tuple[Samples, Tensor, Tensor, Tensor]:
    samples, _, _, e = batch()
    first, last = (torch.full((6,), time, dtype=torch.float64) for time in (r, t))
    return samples, first, last, e


def shifted(head: IMFHead, output: int, by: float) -> IMFHead:
    """Every number that one output predicts, moved."""
    other = copy.deepcopy(head)
    bias = other.network.outputs[output].bias
    assert isinstance(bias, Tensor)
    bias.data += by
    return other


@pytest.mark.parametrize(("r", "seen"), [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5), (1.0, 1.0)])
def test_how_much_of_the_predicted_chunk_the_loss_sees(r: float, seen: float) -> None:
    """V holds r/t of the chunk's value: at r = 0 a chunk that is wrong by any constant has the same loss."""
    head, drawn = head_of(output="sample", tangent_bound=None), one_draw(r, 1.0)
    samples, r_, t, e = drawn
    with torch.no_grad():
        moved = []
        for one in (head, shifted(head, 0, 0.3)):
            u = one.velocities(e, r_, t, samples.cond)[0]
            correction = one.correction(e, r_, t, e - samples.actions, samples.cond, samples.valid)[0] if r < 1 else 0
            moved.append(u + correction)
    torch.testing.assert_close(moved[0] - moved[1], torch.full_like(e, 0.3 * seen))


IMPROVED = [name for name in open_zoo().registry.recipe_names() if load_recipe(name).head.name == "imf/imf"]


@pytest.mark.parametrize("name", IMPROVED)
def test_every_draw_of_the_recipes_sees_the_chunk(name: str) -> None:
    config = IMFConfig.model_validate(load_recipe(name).head.config)
    r, t = draw_interval(Draws(sample_seeds(0, torch.arange(20_000))), config.times)
    assert config.output == "sample"
    assert (r / t).min() > 0
    assert (t == 1).float().mean() > 0.3  # where one-step sampling starts


@pytest.mark.parametrize("settings", [{}, {"error_in": "sample"}], ids=["velocity", "sample"])
def test_the_true_chunk_has_no_loss_at_any_time(settings: dict[str, object]) -> None:
    """The target is read as the prediction is: below min_time, too, x itself meets it."""
    head = FlowHead(FlowConfig.model_validate(TINY | {"output": "sample"} | settings), SMALL)
    samples, _, _, e = batch()
    samples = Samples(samples.cond.float(), samples.actions.float(), samples.valid, samples.draws)
    t = torch.tensor([1e-3, 0.01, 0.04, 0.05, 0.5, 1.0])
    object.__setattr__(head, "velocities", lambda z, r, t, cond: (as_velocity(samples.actions, z, t, "sample", 0.05),))
    assert head.loss(samples, t, e.float())["mse_v"] < 1e-9


def test_errors_between_chunks_are_those_of_the_predicted_chunk() -> None:
    head = FlowHead(FlowConfig.model_validate(TINY | {"output": "sample", "error_in": "sample"}), SMALL)
    samples, _, t, e = batch()
    samples = Samples(samples.cond.float(), samples.actions.float(), samples.valid, samples.draws)
    error = head.loss(samples, t.float(), e.float())["loss"]  # a fresh network predicts zero
    torch.testing.assert_close(
        error, (samples.actions.square() * samples.valid[..., None]).flatten(1).sum(1).mean() / 15
    )


@pytest.mark.parametrize("output", ["velocity", "sample"])
def test_equal_times_are_flow_matching_bit_for_bit(output: str) -> None:
    imf = head_of(output=output, tangent="boundary").float()
    flow = FlowHead(FlowConfig.model_validate(TINY | {"output": output, "weight_power": 1}), SMALL)
    flow.load_state_dict(imf.state_dict())
    samples, _, t, e = batch()
    samples = Samples(samples.cond.float(), samples.actions.float(), samples.valid, samples.draws)
    t, e = t.float(), e.float()
    losses = imf.loss(samples, t, t, e)["loss"], flow.loss(samples, t, e)["loss"]
    assert torch.equal(*losses)
    for one, other in zip(gradients(losses[0], imf), gradients(losses[1], flow), strict=True):
        assert torch.equal(one, other)


def test_a_mixed_batch_leaves_its_equal_times_alone() -> None:
    head = head_of(tangent="boundary")
    samples, r, t, e = batch()
    u = head.velocities((1 - t)[:, None, None] * samples.actions + t[:, None, None] * e, r, t, samples.cond)[0]
    wanted = ((u - (e - samples.actions)) ** 2 * samples.valid[..., None]).flatten(1).sum(1)[r == t]
    equal = r == t
    alone = Samples(samples.cond[equal], samples.actions[equal], samples.valid[equal], samples.draws)
    log = head.loss(alone, r[equal], t[equal], e[equal])
    torch.testing.assert_close(log["mse_u"] * alone.valid.sum() * 3, wanted.sum())
    assert log["correction_ratio"] == 0
