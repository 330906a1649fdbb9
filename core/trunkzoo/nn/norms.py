"""RMSNorm over any channel dimension (Zhang & Sennrich 2019), in float32, safe under forward-mode AD."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPS = 1e-5  # at least 1e-5, so that an all-zero input has a bounded gradient (rstd ≤ 316)


def rms_normalise(x: Tensor, dim: int = -1, eps: float = EPS) -> Tensor:
    """``x / √(mean_dim(x²) + eps)``, computed in float32 or wider, returned in the dtype of ``x``."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.rsqrt(wide.square().mean(dim, keepdim=True) + eps)).to(x.dtype)


class RMSNorm(nn.Module):
    """RMSNorm with a learned gain per channel; ``dim`` is -1 for tokens (…, C) and 1 for maps (N, C, H, W)."""

    def __init__(self, channels: int, dim: int = -1, eps: float = EPS) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        trailing = 0 if self.dim == -1 else x.dim() - 1 - self.dim  # positions behind the channels: 2 in (N, C, H, W)
        gain = self.weight.reshape(-1, *[1] * trailing)  # (C,) or (C, 1, 1)
        return (rms_normalise(x, self.dim, self.eps) * gain).to(x.dtype)
