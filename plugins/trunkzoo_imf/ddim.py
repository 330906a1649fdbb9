"""Denoising diffusion (Ho et al., arXiv 2006.11239) with DDIM sampling (Song et al., arXiv 2010.02502)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from trunkzoo.plugin import Contract, Draws
from trunkzoo_imf.config import DDIMConfig
from trunkzoo_imf.network import ChunkTransformer
from trunkzoo_imf.objective import adaptive, mean_square, per_chunk, prepare, squared_error

Prediction = Literal["epsilon", "v", "sample"]


class DDIMHead(nn.Module):
    """Regress ε, v or x at a random noise level; sample deterministically on an even subset of the levels."""

    signal: Tensor

    def __init__(self, config: DDIMConfig, contract: Contract) -> None:
        super().__init__()
        self.config = config
        self.network = ChunkTransformer(config, contract)
        self.register_buffer("signal", squared_cosine(config.train_steps).float(), persistent=False)

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        c = self.config
        samples = prepare(cond, actions, valid, draws, copies=c.draws_per_sample, cond_dropout=c.cond_dropout)
        x, e = samples.actions, samples.draw_noise()  # (B·n, H, A) each
        level = (samples.draws.uniform() * c.train_steps).long() + 1  # 1 … train_steps
        a, s = self._coefficients(level, x)  # (B·n, 1, 1) each
        prediction = self._network(a * x + s * e, level, samples.cond)
        error = squared_error(prediction, to_target(x, e, a, s, c.prediction), samples.valid)  # (B·n,)
        return {
            "loss": adaptive(error, x[0].numel(), power=0, offset=0),
            f"mse_{c.prediction}": mean_square(error, samples.valid, x.shape[-1]),
        }

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        z = noise
        for now, following in pairwise(levels(self.config.train_steps, self.config.sample_steps)):
            level = torch.full(noise.shape[:1], now, device=noise.device)  # (B,)
            a, s = self._coefficients(level, z)
            x = self._bound(to_clean(self._network(z, level, cond), z, a, s, self.config.prediction))
            e = (z - a * x) / s  # from the clipped x, so that (x, e) still make up z
            a, s = self._coefficients(torch.full_like(level, following), z)
            z = a * x + s * e
        return z

    def _network(self, z: Tensor, level: Tensor, cond: Tensor) -> Tensor:
        t = level.to(z.dtype) / self.config.train_steps  # the network knows times in [0, 1]
        out: Tensor = self.network(z, t, t, cond)[0]
        return out.to(z.dtype)

    def _bound(self, x: Tensor) -> Tensor:
        bound = self.config.clip_sample
        return x if bound is None else x.clamp(-bound, bound)

    def _coefficients(self, level: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ and √(1 − ᾱ) of levels (B,), each (B, 1, 1)."""
        signal = per_chunk(self.signal[level])
        return signal.sqrt().to(like), (1 - signal).sqrt().to(like)


def squared_cosine(steps: int) -> Tensor:
    """ᾱ of the levels 0 (clean) … ``steps``, float64 (steps + 1,), with β ≤ 0.999 (arXiv 2102.09672, eq. 17)."""
    wanted = [math.cos((level / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for level in range(steps + 1)]
    kept = [max(after / before, 0.001) for before, after in pairwise(wanted)]  # 1 − β
    return torch.tensor([1.0, *kept], dtype=torch.float64).cumprod(0)


def levels(train_steps: int, sample_steps: int) -> list[int]:
    """The levels a sampler visits: ``train_steps`` first, 0 last, evenly spaced (arXiv 2305.08891, "trailing")."""
    return [round(train_steps * (1 - step / sample_steps)) for step in range(sample_steps + 1)]


def to_target(x: Tensor, e: Tensor, a: Tensor, s: Tensor, prediction: Prediction) -> Tensor:
    """What the network regresses; v is that of arXiv 2202.00512."""
    return {"epsilon": e, "v": a * e - s * x, "sample": x}[prediction]


def to_clean(out: Tensor, z: Tensor, a: Tensor, s: Tensor, prediction: Prediction) -> Tensor:
    """The clean chunk that an output at z = a x + s e stands for."""
    return {"epsilon": (z - s * out) / a, "v": a * z - s * out, "sample": out}[prediction]
