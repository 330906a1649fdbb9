"""The improved-MeanFlow loss against closed forms, float64 finite differences and a slow plain reference."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trunkzoo.contract import Contract
from trunkzoo.draws import Draws, sample_seeds
from trunkzoo_imf.config import FlowConfig, IMFConfig
from trunkzoo_imf.derivative import total_derivative
from trunkzoo_imf.flow import FlowHead
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.objective import Samples, prepare
from trunkzoo_imf.sampling import integrate

SMALL = Contract(
    cameras=("front",), image_size=8, state_dim=3, action_dim=3, camera_dim=4, cond_dim=7, pred_horizon=5,
    num_action_steps=2,
)  # fmt: skip
TINY = {"width": 16, "blocks": 2, "heads": 2, "time_tokens": 2}
MIXINGS = ["full", "block(2)", "uniform", "static", "residual"]


def stirred(head: IMFHead) -> IMFHead:
    """Random weights everywhere: a fresh head has zero outputs and zero queries."""
    generator = torch.Generator().manual_seed(1)
    for parameter in head.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return head


def head_of(**settings: object) -> IMFHead:
    torch.manual_seed(0)
    return stirred(IMFHead(IMFConfig.model_validate(TINY | settings), SMALL).double())


def batch(n: int = 6) -> tuple[Samples, Tensor, Tensor, Tensor]:
    """Samples with padding in two of them, times r ≤ t of which every third is r = t, and noise; float64."""
    g = torch.Generator().manual_seed(2)
    cond = torch.randn(n, 2, 7, generator=g, dtype=torch.float64)
    actions = torch.rand(n, 5, 3, generator=g, dtype=torch.float64) * 2 - 1
    valid = torch.ones(n, 5, dtype=torch.bool)
    valid[1, 2:] = valid[2, 4:] = False
    t = torch.rand(n, generator=g, dtype=torch.float64) * 0.9 + 0.1
    r = torch.where(torch.arange(n) % 3 == 0, t, t * torch.rand(n, generator=g, dtype=torch.float64))
    e = torch.randn(actions.shape, generator=g, dtype=torch.float64)
    return prepare(cond, actions, valid, Draws(torch.arange(n))), r, t, e


# ── A linear-Gaussian case: x ~ N(μ, σ²) makes every marginal Gaussian and the flow affine ──────────────────────────

MEAN, STD = 0.3, 0.5


def spread(t: Tensor) -> Tensor:
    return torch.sqrt((1 - t) ** 2 * STD**2 + t**2)[:, None, None]


def centre(t: Tensor) -> Tensor:
    return (1 - t)[:, None, None] * MEAN


def gaussian_v(z: Tensor, t: Tensor) -> Tensor:
    """E[e − x | z_t = z]."""
    slope = (t - (1 - t) * STD**2)[:, None, None] / spread(t) ** 2
    return -MEAN + slope * (z - centre(t))


def gaussian_u(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    """(z_t − z_r) / (t − r) along the probability flow, which keeps (z − centre) / spread."""
    z_r = centre(r) + spread(r) / spread(t) * (z - centre(t))
    return (z - z_r) / (t - r)[:, None, None].clamp_min(1e-9)


class GaussianNetwork(nn.Module):
    """The analytic (u, v) in place of the transformer; ``theta`` bends u away from it."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, z: Tensor, r: Tensor, t: Tensor, cond: Tensor) -> tuple[Tensor, Tensor]:
        bend = torch.tanh(2 * z + (t - r)[:, None, None])
        return gaussian_u(z, r, t) + self.theta * bend, gaussian_v(z, t)


def gaussian_samples(n: int) -> tuple[Samples, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(3)
    x, e = (torch.randn(n, 1, 1, generator=g, dtype=torch.float64) for _ in range(2))
    t = torch.rand(n, generator=g, dtype=torch.float64) * 0.8 + 0.2
    r = t * torch.rand(n, generator=g, dtype=torch.float64) * 0.9
    valid = torch.ones(n, 1, dtype=torch.bool)
    return Samples(x.new_zeros(n, 1, 1), MEAN + STD * x, valid, Draws(torch.arange(n))), r, t, e


def gaussian_head() -> IMFHead:
    contract = SMALL.model_copy(update={"pred_horizon": 1, "num_action_steps": 1, "action_dim": 1})
    head = IMFHead(IMFConfig.model_validate(TINY | {"weight_power": 0, "tangent_bound": None}), contract)
    head.network = GaussianNetwork()  # type: ignore[assignment]
    return head


def test_identity_holds_for_the_analytic_average_velocity() -> None:
    _, r, t, e = gaussian_samples(200)
    with torch.no_grad():
        du = total_derivative(gaussian_u, e, r, t, gaussian_v(e, t))
    torch.testing.assert_close(gaussian_u(e, r, t), gaussian_v(e, t) - (t - r)[:, None, None] * du, rtol=0, atol=1e-10)


@pytest.mark.parametrize("theta", [-0.3, 0.3])
def test_loss_is_least_at_the_analytic_average_velocity(theta: float) -> None:
    head, drawn = gaussian_head(), gaussian_samples(100_000)
    best = head.loss(*drawn)["mse_u"]
    head.network.theta.data.fill_(theta)  # type: ignore[operator, union-attr]
    assert head.loss(*drawn)["mse_u"] > best + 0.02


def test_gradient_vanishes_at_the_analytic_average_velocity() -> None:
    head, drawn = gaussian_head(), gaussian_samples(100_000)
    (at_best,) = torch.autograd.grad(head.loss(*drawn)["loss"], head.network.parameters())
    head.network.theta.data.fill_(0.3)  # type: ignore[operator, union-attr]
    (beside,) = torch.autograd.grad(head.loss(*drawn)["loss"], head.network.parameters())
    assert at_best.abs() < 0.02
    assert beside > 0.2


@pytest.mark.parametrize("steps", [1, 3])
def test_any_number_of_steps_follows_the_exact_flow(steps: int) -> None:
    e = gaussian_samples(50)[3]
    torch.testing.assert_close(integrate(gaussian_u, e, steps), MEAN + STD * e)


def test_euler_steps_of_the_instantaneous_velocity_converge() -> None:
    e = gaussian_samples(50)[3]
    errors = [
        (integrate(lambda z, r, t: gaussian_v(z, t), e, n) - MEAN - STD * e).abs().max().item() for n in (50, 100)
    ]
    assert errors[1] < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


# ── The real network ────────────────────────────────────────────────────────────────────────────────────────────────


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
    loss = weighted(((u + step - target) ** 2 * keep).sum(), head)
    return loss + c.v_weight * weighted(((v[0] - target) ** 2 * keep).sum(), head) if v else loss


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
        {"mixing": "residual"},
    ],
    ids=lambda settings: ",".join(f"{key}={value}" for key, value in settings.items()) or "defaults",
)
def test_loss_and_gradients_equal_a_plain_reference(settings: dict[str, object]) -> None:
    head, drawn = head_of(**settings), batch()
    fast, slow = head.loss(*drawn)["loss"], plain_loss(head, *drawn)
    torch.testing.assert_close(fast, slow, rtol=1e-8, atol=0)
    for one, other in zip(
        torch.autograd.grad(fast, head.parameters()), torch.autograd.grad(slow, head.parameters()), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_the_bound_is_active_in_the_reference_case() -> None:
    log = head_of(output="sample", tangent_bound=0.05).loss(*batch())
    assert 0 < log["correction_bounded"] <= 1


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
    for one, other in zip(
        torch.autograd.grad(losses[0], imf.parameters()), torch.autograd.grad(losses[1], flow.parameters()), strict=True
    ):
        assert torch.equal(one, other)


def test_a_mixed_batch_leaves_its_equal_times_alone() -> None:
    head = head_of(tangent="boundary")
    samples, r, t, e = batch()
    u = head.velocities((1 - t)[:, None, None] * samples.actions + t[:, None, None] * e, r, t, samples.cond)[0]
    wanted = ((u - (e - samples.actions)) ** 2 * samples.valid[..., None]).flatten(1).sum(1)[r == t]
    alone = Samples(*(part[r == t] for part in samples[:3]), samples.draws)
    log = head.loss(alone, r[r == t], t[r == t], e[r == t])
    torch.testing.assert_close(log["mse_u"] * alone.valid.sum() * 3, wanted.sum())
    assert log["correction_ratio"] == 0


# ── Padding, precision, mixing, copies ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [0.0, 7.0, float("nan")])
def test_padded_actions_reach_neither_loss_nor_gradient(content: float) -> None:
    head = head_of().float()
    cond, actions = torch.randn(4, 2, 7), torch.rand(4, 5, 3)
    valid = torch.arange(5) < torch.tensor([5, 1, 3, 4])[:, None]
    results = []
    for padding in (1.0, content):
        filled = torch.where(valid[..., None], actions, torch.full_like(actions, padding))
        loss = head(cond, filled, valid, Draws(sample_seeds(0, torch.arange(4))))["loss"]
        results.append((loss, *torch.autograd.grad(loss, head.parameters())))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_the_correction_keeps_float32_under_autocast() -> None:
    head = head_of().float()
    samples, r, t, e = batch()
    given = (e.float(), r.float(), t.float(), e.float(), samples.cond.float(), samples.valid)
    plain = head.correction(*given)
    with torch.autocast("cpu", torch.bfloat16):
        cast = head.correction(*given)
    assert torch.equal(plain[0], cast[0])
    assert plain[0].dtype == torch.float32


def test_bfloat16_autocast_keeps_the_loss() -> None:
    head = head_of(output="sample").float()
    given = torch.randn(16, 2, 7), torch.rand(16, 5, 3), torch.ones(16, 5, dtype=torch.bool)
    seeds = sample_seeds(0, torch.arange(16))
    plain = head(*given, Draws(seeds))["mse_u"]
    with torch.autocast("cpu", torch.bfloat16):
        cast = head(*given, Draws(seeds))["mse_u"]
    torch.testing.assert_close(cast, plain, rtol=0.03, atol=0)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_fresh_heads_agree_under_every_mixing(mixing: str) -> None:
    """Zero queries weigh all sources alike, and every sublayer starts with a norm: at first all are residual nets."""
    torch.manual_seed(0)
    plain = IMFHead(IMFConfig.model_validate(TINY | {"mixing": "residual"}), SMALL)
    nn.init.normal_(plain.network.outputs[0].weight)  # type: ignore[arg-type]
    mixed = IMFHead(IMFConfig.model_validate(TINY | {"mixing": mixing}), SMALL)
    mixed.load_state_dict(plain.state_dict(), strict=False)
    samples, r, t, e = batch()
    given = e.float(), r.float(), t.float(), samples.cond.float()
    torch.testing.assert_close(mixed.velocities(*given)[0], plain.velocities(*given)[0], rtol=2e-3, atol=2e-3)


def test_copies_of_a_sample_have_their_own_noise() -> None:
    samples = prepare(
        torch.zeros(2, 2, 7), torch.ones(2, 5, 3), torch.ones(2, 5, dtype=torch.bool), Draws(torch.arange(2)), copies=3
    )
    noise = samples.draw_noise()
    assert noise.shape == (6, 5, 3)
    assert len({tuple(chunk.flatten().tolist()) for chunk in noise}) == 6
