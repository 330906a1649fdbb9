"""Improved MeanFlow (Geng et al., arXiv 2512.02012): the average velocity u(z, r, t), sampled in one evaluation."""

from __future__ import annotations

import torch
from torch import Tensor

from trunkzoo.nn.depth_terms import without_autocast
from trunkzoo.plugin import Contract, Draws
from trunkzoo_imf.config import IMFConfig
from trunkzoo_imf.derivative import total_derivative
from trunkzoo_imf.flow import VelocityHead
from trunkzoo_imf.objective import (
    Samples,
    bounded,
    interpolate,
    mean_square,
    per_chunk,
    prepare,
)
from trunkzoo_imf.sampling import integrate
from trunkzoo_imf.times import draw_interval


class IMFHead(VelocityHead):
    """Regress V = u + (t − r) sg(du/dt) on e − x, where du/dt is taken along the network's own velocity."""

    def __init__(self, config: IMFConfig, contract: Contract) -> None:
        super().__init__(config, contract, outputs=2 if config.tangent == "v-head" else 1)
        self.config = config

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        c = self.config
        samples = prepare(cond, actions, valid, draws, copies=c.draws_per_sample, cond_dropout=c.cond_dropout)
        r, t = (time.to(actions) for time in draw_interval(samples.draws, c.times))  # (B·n,) each
        return self.loss(samples, r, t, samples.draw_noise())

    def loss(self, samples: Samples, r: Tensor, t: Tensor, e: Tensor) -> dict[str, Tensor]:
        """The loss at given times (B,) and noise (B, H, A): the regression of V of the paper.

        One pass with gradient gives u and v of all samples. The correction is a constant, so it is computed without
        gradient, and only where r < t: elsewhere V = u and this is flow matching.
        """
        c, (cond, x, valid, _) = self.config, samples
        z, target = interpolate(x, e, t), self.target(x, e, t)  # (B, H, A) each
        u, *v = self.velocities(z, r, t, cond)
        moving = (r < t).nonzero().squeeze(1)  # (M,): samples whose interval has a length
        correction, ratio = self.correction(z[moving], r[moving], t[moving], (e - x)[moving], *samples.select(moving))
        error = self.error(u.index_add(0, moving, correction), target, t, valid)
        loss = self.weighted(error, x[0].numel())
        log = {"mse_u": mean_square(error, valid, x.shape[-1]), **_spikes(ratio, c.tangent_bound)}
        if v:
            error = self.error(v[0], target, t, valid)
            loss = loss + c.v_weight * self.weighted(error, x[0].numel())
            log["mse_v"] = mean_square(error, valid, x.shape[-1])
        return {"loss": loss, **log}

    @torch.no_grad()
    def correction(
        self, z: Tensor, r: Tensor, t: Tensor, target: Tensor, cond: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(t − r) du/dt, bounded per sample, and its norm before the bound in units of ‖dz/dt‖.

        In the precision of ``z`` whatever autocast says: a bf16 derivative is wrong by percents.
        """
        with without_autocast(z.device.type):
            tangent = torch.where(valid[..., None], self.tangent(z, t, target, cond), target)  # padding: dz/dt is known
            du = total_derivative(lambda z, r, t: self.velocities(z, r, t, cond)[0], z, r, t, tangent)
        return bounded(per_chunk(t - r) * du, tangent, valid, self.config.tangent_bound)

    def tangent(self, z: Tensor, t: Tensor, target: Tensor, cond: Tensor) -> Tensor:
        """dz/dt (B, H, A). Improved MeanFlow takes the network's estimate, the original the noisy e − x."""
        if self.config.tangent == "data":
            return target
        return self.velocities(z, t, t, cond)[-1]  # the v-head, or u(z, t, t) where there is one output

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        return integrate(lambda z, r, t: self.velocities(z, r, t, cond)[0], noise, self.config.sample_steps)


def _spikes(ratio: Tensor, bound: float | None) -> dict[str, Tensor]:
    """What to watch: mean ‖(t − r) du/dt‖ / ‖dz/dt‖ where r < t, and the share of those that were shrunk."""
    n = max(ratio.numel(), 1)
    log = {"correction_ratio": ratio.sum() / n}
    return log if bound is None else {**log, "correction_bounded": (ratio > bound).sum() / n}
