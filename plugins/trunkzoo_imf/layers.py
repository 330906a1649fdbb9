"""Sublayers of the transformer: rotary attention, SwiGLU, and the tokens that carry time.

Plain operations throughout: forward-mode AD, reverse-mode AD over it and ``torch.compile`` all pass.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.nn.norms import RMSNorm, rms_normalise
from trunkzoo_imf.derivative import Linear


class Attention(nn.Module):
    """PreNorm, then bidirectional self-attention over tokens (B, N, D), with QK-norm and rotary positions."""

    rotations: Tensor

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = RMSNorm(width)
        self.qkv = Linear(width, 3 * width, bias=False)
        self.out = Linear(width, width, bias=False)
        self.q_gain = nn.Parameter(torch.ones(width // heads))  # the only gain: one on k would be redundant
        self.register_buffer("rotations", rotary_table(tokens, width // heads), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, N, d)
        q, k = rms_normalise(q) * self.q_gain.to(q.dtype), rms_normalise(k)
        y = F.scaled_dot_product_attention(rotate(q, self.rotations), rotate(k, self.rotations), v)
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))  # (B, N, D)
        return out


class SwiGLU(nn.Module):
    """PreNorm, then W₃(SiLU(W₁x) ⊙ W₂x) (Shazeer 2020) on tokens (…, D)."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = 8 * math.ceil(width * ratio / 8 - 1e-9)
        self.norm = RMSNorm(width)
        self.up = Linear(width, 2 * hidden, bias=False)
        self.down = Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(self.norm(x)).chunk(2, dim=-1)  # (…, hidden) each
        out: Tensor = self.down(F.silu(gate) * value)
        return out


class TimeTokens(nn.Module):
    """Tokens (B, n, D) for a time t and an interval h = t − r, as in improved MeanFlow: learned + emb(t) + emb(h)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.embed_t, self.embed_h = _time_mlp(width), _time_mlp(width)

    def forward(self, r: Tensor, t: Tensor) -> Tensor:
        time: Tensor = self.embed_t(sinusoids(t)) + self.embed_h(sinusoids(t - r))  # (B, D)
        return self.tokens + time[:, None]  # (n, D) + (B, 1, D) → (B, n, D)


def _time_mlp(width: int) -> nn.Sequential:
    return nn.Sequential(Linear(_SINUSOIDS, width), nn.SiLU(), Linear(width, width))


_SINUSOIDS = 256


def sinusoids(t: Tensor) -> Tensor:
    """cos and sin of raw t (B,) at 128 frequencies from 1 down to 1e-4: (B, 256).

    Times stay in [0, 1]: the usual factor 1000 makes du/dt larger than the velocity itself, and wrong.
    """
    half = _SINUSOIDS // 2
    frequencies = torch.exp(torch.arange(half, device=t.device, dtype=t.dtype) * (-math.log(1e4) / half))
    angles = t[:, None] * frequencies  # (B, 128)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rotary_table(tokens: int, dim: int) -> Tensor:
    """(2, tokens, dim/2): cosines and sines of position × frequency (RoPE, Su et al. 2021), base 10 000."""
    frequencies = 1e4 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)  # (dim/2,)
    angles = torch.arange(tokens, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()]).float()


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn the pairs (x_i, x_{i + d/2}) of x (…, N, d) by their position's angles; real arithmetic, for compile."""
    cos, sin = table.to(x.dtype)  # (N, d/2) each
    a, b = x.chunk(2, dim=-1)  # (…, N, d/2) each
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
