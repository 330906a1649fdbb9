"""Conditional flow matching (Lipman et al., arXiv 2210.02747) on the transformer of the iMF head."""

from __future__ import annotations

from torch import Tensor, nn

from trunkzoo.plugin import Contract, Draws
from trunkzoo_imf.config import FlowConfig, VelocityConfig
from trunkzoo_imf.network import ChunkTransformer
from trunkzoo_imf.objective import (
    Samples,
    adaptive,
    as_velocity,
    interpolate,
    mean_square,
    per_chunk,
    prepare,
    squared_error,
)
from trunkzoo_imf.sampling import integrate
from trunkzoo_imf.times import draw_instant


class VelocityHead(nn.Module):
    """A network whose outputs are velocities along z_t = (1 − t) x + t e."""

    def __init__(self, config: VelocityConfig, contract: Contract, outputs: int) -> None:
        super().__init__()
        self.network = ChunkTransformer(config, contract, outputs)
        self.law = config

    def velocities(self, z: Tensor, r: Tensor, t: Tensor, cond: Tensor) -> tuple[Tensor, ...]:
        """Every output as a velocity (B, H, A) in the dtype of ``z``."""
        return tuple(as_velocity(out, z, t, self.law.output, self.law.min_time) for out in self.network(z, r, t, cond))

    def target(self, x: Tensor, e: Tensor, t: Tensor) -> Tensor:
        """What velocities are compared with: dz/dt = e − x, or (z − x) / max(t, min_time), as a chunk is read.

        They differ only at t < min_time, where otherwise no predicted chunk, not even x itself, would meet the target.
        """
        return e - x if self.law.output == "velocity" else (e - x) * per_chunk(t / t.clamp_min(self.law.min_time))

    def error(self, velocity: Tensor, target: Tensor, t: Tensor, valid: Tensor) -> Tensor:
        """Summed squared error of each sample (B,), between velocities or between the chunks that they imply."""
        error = squared_error(velocity, target, valid)
        if self.law.error_in == "velocity":
            return error
        return error * t.clamp_min(self.law.min_time if self.law.output == "sample" else 0).square()

    def weighted(self, error: Tensor, size: int) -> Tensor:
        """The loss of summed squared errors (B,) of chunks of ``size`` numbers."""
        return adaptive(error, size, self.law.weight_power, self.law.weight_offset)


class FlowHead(VelocityHead):
    """Regress v(z_t, t) on e − x; sample by Euler steps from noise."""

    def __init__(self, config: FlowConfig, contract: Contract) -> None:
        super().__init__(config, contract, outputs=1)
        self.config = config

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        c = self.config
        samples = prepare(cond, actions, valid, draws, copies=c.draws_per_sample, cond_dropout=c.cond_dropout)
        t = draw_instant(samples.draws, c.times).to(actions)  # (B·n,)
        return self.loss(samples, t, samples.draw_noise())

    def loss(self, samples: Samples, t: Tensor, e: Tensor) -> dict[str, Tensor]:
        """The loss at given times (B,) and noise (B, H, A)."""
        x, valid = samples.actions, samples.valid
        (v,) = self.velocities(interpolate(x, e, t), t, t, samples.cond)
        error = self.error(v, self.target(x, e, t), t, valid)  # (B·n,)
        return {"loss": self.weighted(error, x[0].numel()), "mse_v": mean_square(error, valid, x.shape[-1])}

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        return integrate(lambda z, r, t: self.velocities(z, t, t, cond)[0], noise, self.config.sample_steps)
