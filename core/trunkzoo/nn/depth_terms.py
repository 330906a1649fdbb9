"""The terms of depth attention that its plain and its fused form share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def inverse_rms(values: Sequence[Tensor], eps: float) -> Tensor:
    """1 / √(mean square + eps) of values (…, C): (L, …)."""
    dtype = wide_dtype(values[0])  # the norm squares nothing in memory, and its gradient at 0 is 0
    norms = torch.stack([torch.linalg.vector_norm(v, dim=-1, dtype=dtype) for v in values])  # (L, …)
    return torch.rsqrt(norms.square() / values[0].shape[-1] + eps)


def scores_of(query: Tensor, values: Sequence[Tensor], r: Tensor) -> Tensor:
    """w · RMSNorm(v_i), with the factors ``r`` of the norm given: (L, …)."""
    w = query.to(r.dtype)
    wide = [v.to(r.dtype) for v in values]
    with without_autocast(r.device.type):  # it would round the products to bfloat16
        return torch.stack([v @ w if w.dim() == 1 else (v * w).sum(-1) for v in wide]) * r


def without_autocast(device: str) -> AbstractContextManager[object]:
    """A block in which float32 stays float32, on devices that have autocast and those that do not."""
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()  # entering it costs as much as a small mix


def softmax_over(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the sources, without those that ``mask`` takes out."""
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(0)


def weighted_sum(weights: Tensor, values: Sequence[Tensor]) -> Tensor:
    """Σ_i α_i v_i with weights (L,) or (L, …) and values (…, C), in their dtype, cast once to that of v_0."""
    a = weights.unsqueeze(-1)  # (L, …, 1)
    total = a[0] * values[0]  # (…, C)
    for i in range(1, len(values)):
        total = torch.addcmul(total, a[i], values[i].to(total.dtype))
    return total.to(values[0].dtype)


def wide_dtype(v: Tensor) -> torch.dtype:
    """Float32, or float64 if ``v`` is."""
    return torch.promote_types(v.dtype, torch.float32)
