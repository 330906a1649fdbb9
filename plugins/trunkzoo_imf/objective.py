"""Terms that the losses share. Time runs from data (t = 0) to noise (t = 1); chunks are (B, H, A), times (B,)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from trunkzoo.plugin import Draws


class Samples(NamedTuple):
    """A training batch, each sample repeated for its independent draws."""

    cond: Tensor  # (B·n, O, C)
    actions: Tensor  # (B·n, H, A), zero where the chunk runs past its episode
    valid: Tensor  # (B·n, H) bool
    draws: Draws

    def draw_noise(self) -> Tensor:
        """Standard normal noise shaped as the actions."""
        return self.draws.normal(*self.actions.shape[1:]).to(self.actions)

    def select(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Condition and valid mask of the samples ``index``."""
        return self.cond[index], self.valid[index]


def prepare(
    cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws, *, copies: int = 1, cond_dropout: float = 0.0
) -> Samples:
    """Repeat every sample ``copies`` times, forget what padded actions hold, and drop some conditions.

    A padded action becomes zero before noise is added: its token then looks as it does when a chunk is sampled in one
    step, and what a dataset writes past the end of an episode can reach neither the loss nor a gradient.
    """
    draws = draws.repeat(copies)
    cond, actions, valid = (x.repeat_interleave(copies, 0) for x in (cond, actions, valid))
    if cond_dropout:
        cond = torch.where(per_chunk(draws.uniform() < cond_dropout), torch.zeros_like(cond), cond)
    return Samples(cond, torch.where(valid[..., None], actions, torch.zeros_like(actions)), valid, draws)


def per_chunk(t: Tensor) -> Tensor:
    """(B,) → (B, 1, 1)."""
    return t[:, None, None]


def interpolate(x: Tensor, e: Tensor, t: Tensor) -> Tensor:
    """z_t = (1 − t) x + t e, whose conditional velocity is dz/dt = e − x (MeanFlow, arXiv 2505.13447)."""
    return (1 - per_chunk(t)) * x + per_chunk(t) * e


def as_velocity(out: Tensor, z: Tensor, t: Tensor, form: Literal["velocity", "sample"], min_time: float) -> Tensor:
    """The velocity that an output stands for: itself, or (z − out) / max(t, min_time) of a predicted clean chunk."""
    out = out.to(z.dtype)
    return out if form == "velocity" else (z - out) / per_chunk(t).clamp_min(min_time)


def squared_error(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Σ (prediction − target)² over the valid actions of each sample: (B,)."""
    return _masked((prediction - target).square(), valid)


def norm(chunk: Tensor, valid: Tensor) -> Tensor:
    """Euclidean norm over the valid actions of each sample: (B,)."""
    return _masked(chunk.square(), valid).sqrt()


def adaptive(error: Tensor, size: int, power: float, offset: float) -> Tensor:
    """Mean of error / sg(error + c)^p over samples (MeanFlow, arXiv 2505.13447; p = 1, c = 0.01 in iMF).

    ``error`` (B,) is the summed squared error of each sample, ``size`` the numbers in a chunk, ``power`` p and ``offset``
    c. Dividing by size^(1 − p) changes nothing at p = 1 and gives the mean square at p = 0.
    """
    weight = (error.detach() + offset).pow(power) * size ** (1 - power)  # (B,)
    return torch.mean(error / weight)


def bounded(correction: Tensor, reference: Tensor, valid: Tensor, bound: float | None) -> tuple[Tensor, Tensor]:
    """Shrink each sample's correction to at most ``bound`` × ‖reference‖; also return ‖correction‖ / ‖reference‖.

    Not in the paper: rare large (t − r) du/dt make the loss spike, more often under attention over depth.
    """
    ratio = norm(correction, valid) / norm(reference, valid).clamp_min(1e-12)  # (B,)
    if bound is None:
        return correction, ratio
    return correction * per_chunk((bound / ratio.clamp_min(1e-12)).clamp_max(1)), ratio


def mean_square(error: Tensor, valid: Tensor, width: int) -> Tensor:
    """Squared error per valid number of the batch, detached: what logs show beside a weighted loss."""
    return error.detach().sum() / (valid.sum() * width).clamp_min(1)


def _masked(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid[..., None]).flatten(1).sum(1)  # (B, H, A) → (B,)
