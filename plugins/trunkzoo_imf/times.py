"""Which (r, t) a sample is trained at; time runs from data (t = 0) to noise (t = 1), and 0 ≤ r ≤ t ≤ 1."""

from __future__ import annotations

import torch
from torch import Tensor

from trunkzoo.plugin import Draws
from trunkzoo_imf.config import InstantTimes, IntervalTimes


def draw_interval(draws: Draws, law: IntervalTimes) -> tuple[Tensor, Tensor]:
    """Two times r ≤ t in [0, 1], each (B,), by the law of MeanFlow (arXiv 2505.13447).

    Every sample decides from its own draws whether r = t: the official code splits the batch by position, which
    would make a sample's loss depend on the batch around it.
    """
    first, second = (logit_normal(draws, law.logit_mean, law.logit_std) for _ in range(2))
    t, r = torch.maximum(first, second), torch.minimum(first, second)
    lot = draws.uniform()  # (B,): one lot decides which share a sample falls into
    r = torch.where(lot >= 1 - (1 - law.forced) * law.equal_share, t, r)
    ends = lot < law.forced
    t, r = (torch.where(ends, torch.ones_like(t), time) for time in (t, r))
    if law.span_share:
        r = torch.where(lot < law.one_step_share + law.span_share, draws.uniform(), r)
    return torch.where(lot < law.one_step_share, torch.zeros_like(r), r), t


def draw_instant(draws: Draws, law: InstantTimes) -> Tensor:
    """Times (B,) in [0, 1] for flow matching: logit-normal (Esser et al. 2024), then shifted towards noise."""
    t = shift(logit_normal(draws, law.logit_mean, law.logit_std), law.shift)
    return torch.where(draws.uniform() < law.noise_share, torch.ones_like(t), t)


def logit_normal(draws: Draws, mean: float, std: float) -> Tensor:
    """sigmoid(N(mean, std²)), float32 (B,) in (0, 1)."""
    return torch.sigmoid(mean + std * draws.normal())


def shift(t: Tensor, alpha: float) -> Tensor:
    """t → αt / (1 + (α − 1)t) (Esser et al. 2024, eq. 23): α > 1 moves times towards noise, α = 1 keeps them."""
    return alpha * t / (1 + (alpha - 1) * t)


def grid(steps: int) -> list[float]:
    """The ``steps + 1`` times of a sampler, 1 → 0, evenly spaced."""
    return [1 - step / steps for step in range(steps + 1)]
