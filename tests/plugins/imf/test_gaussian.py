"""The improved-MeanFlow loss and samplers where x ~ N(μ, σ²): every marginal is Gaussian, and the flow affine."""

import pytest
import torch
from torch import Tensor, nn

from imf_cases import SMALL, TINY, gradients
from trunkzoo.nn.draws import Draws
from trunkzoo_imf.config import IMFConfig
from trunkzoo_imf.derivative import total_derivative
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.objective import Samples
from trunkzoo_imf.sampling import integrate

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
    head.register_module("network", GaussianNetwork())
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
    head.get_parameter("network.theta").data.fill_(theta)
    assert head.loss(*drawn)["mse_u"] > best + 0.02


def test_gradient_vanishes_at_the_analytic_average_velocity() -> None:
    head, drawn = gaussian_head(), gaussian_samples(100_000)
    (at_best,) = gradients(head.loss(*drawn)["loss"], head.network)
    head.get_parameter("network.theta").data.fill_(0.3)
    (beside,) = gradients(head.loss(*drawn)["loss"], head.network)
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
