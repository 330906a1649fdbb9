"""Samplers: pure functions of a field and a start noise."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from trunkzoo_imf.derivative import Field
from trunkzoo_imf.times import grid


def integrate(field: Field, noise: Tensor, steps: int) -> Tensor:
    """z_r = z_t − (t − r) u(z_t, r, t) on an even grid from noise (t = 1) to data (MeanFlow, arXiv 2505.13447).

    One step is noise − u(noise, 0, 1). With an instantaneous velocity for u this is Euler's method.
    """
    z = noise
    for t, r in pairwise(grid(steps)):
        z = z - (t - r) * field(z, noise.new_full(noise.shape[:1], r), noise.new_full(noise.shape[:1], t))
    return z
