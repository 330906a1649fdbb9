"""Depth attention: the one definition of Attention Residuals (Kimi Team, arXiv 2603.15031, eq. 2-4).

    h_l = Σ_i α_i v_i,   α = softmax_i(w_l · RMSNorm(v_i)),   i = 0 … l-1

Per position, over the raw outputs v_i of all earlier sublayers (v_0 is the entry of the stack). Keys have no gain, the
scores no scale, the values no projection. Scores and sums are float32 or wider; the result has the dtype of ``v_0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from trunkzoo.nn.norms import EPS


def depth_mix(
    query: Tensor,
    sources: Sequence[Tensor],
    *,
    dim: int = -1,
    mask: Tensor | None = None,
    eps: float = EPS,
    fused: bool = False,
) -> Tensor:
    """Mix ``sources`` by attention over depth.

    Args:
        query: w (C,), or one query per position, shaped as a source.
        sources: L ≥ 1 tensors of equal shape, channels in ``dim``: (…, C) with -1, (N, C, H, W) with 1.
        dim: the channel dimension.
        mask: bool, broadcastable to (L, *positions); False takes a source out. One source must stay everywhere.
        eps: added to the mean square of a key.
        fused: use the closed-form backward of ``fused.py`` (faster, little memory; no forward-mode AD). A compiler
            gets the plain formula in any case, whose backward it fuses as well.

    Returns:
        A tensor shaped as each source.
    """
    values = [_channels_last(v, dim) for v in sources]
    query = query if query.dim() == 1 else _channels_last(query, dim)
    if fused and not torch.compiler.is_compiling():
        from trunkzoo.nn.fused import fused_depth_mix

        mixed = fused_depth_mix(query, values, mask, eps)
    else:
        mixed = weighted_sum(attention(query, values, mask, eps), values)
    return mixed.movedim(-1, dim)


def depth_weights(
    query: Tensor, sources: Sequence[Tensor], *, dim: int = -1, mask: Tensor | None = None, eps: float = EPS
) -> Tensor:
    """The weights α of :func:`depth_mix`: (L, *positions), float32 or wider, summing to one over L."""
    query = query if query.dim() == 1 else _channels_last(query, dim)
    return attention(query, [_channels_last(v, dim) for v in sources], mask, eps)


def attention(query: Tensor, values: Sequence[Tensor], mask: Tensor | None, eps: float) -> Tensor:
    """softmax_i(w · RMSNorm(v_i)) for values (…, C): (L, …)."""
    if torch.compiler.is_compiling():
        return softmax_over(_scores_in_one_loop(query, values, eps), mask)
    return softmax_over(scores_of(query, values, inverse_rms(values, eps)), mask)


def inverse_rms(values: Sequence[Tensor], eps: float) -> Tensor:
    """1 / √(mean square + eps) of values (…, C): (L, …)."""
    dtype = wide_dtype(values[0])  # the norm squares nothing in memory, and its gradient at 0 is 0
    norms = torch.stack([torch.linalg.vector_norm(v, dim=-1, dtype=dtype) for v in values])
    return torch.rsqrt(norms.square() / values[0].shape[-1] + eps)


def scores_of(query: Tensor, values: Sequence[Tensor], r: Tensor) -> Tensor:
    """w · RMSNorm(v_i), with the factors ``r`` of the norm given: (L, …)."""
    w = query.to(r.dtype)
    wide = [v.to(r.dtype) for v in values]
    with without_autocast(r.device.type):  # it would round the products to bfloat16
        return torch.stack([v @ w if w.dim() == 1 else (v * w).sum(-1) for v in wide]) * r


def _scores_in_one_loop(query: Tensor, values: Sequence[Tensor], eps: float) -> Tensor:
    """The scores, written so that a compiler reads each source once for them, and once for the gradient of w.

    Inductor ends a loop at every stack on CPUs, so norms and products share one; and it sums the gradient of a query
    that was expanded once in one loop, instead of one per source.
    """
    wide = [v.to(wide_dtype(v)) for v in values]
    w = query.to(wide[0].dtype).expand_as(wide[0])
    return torch.stack([(v * w).sum(-1) * torch.rsqrt(v.square().mean(-1) + eps) for v in wide])


def without_autocast(device: str) -> AbstractContextManager[object]:
    """A block in which float32 stays float32, on devices that have autocast and those that do not."""
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()  # entering it costs as much as a small mix


def softmax_over(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the sources, without those that ``mask`` takes out."""
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(0)


def weighted_sum(weights: Tensor, values: Sequence[Tensor]) -> Tensor:
    """Σ_i α_i v_i with weights (L,) or (L, …) and values (…, C), in their dtype, cast once to that of v_0."""
    a = weights.unsqueeze(-1)
    total = a[0] * values[0]
    for i in range(1, len(values)):
        total = torch.addcmul(total, a[i], values[i].to(total.dtype))
    return total.to(values[0].dtype)


def wide_dtype(v: Tensor) -> torch.dtype:
    """Float32, or float64 if ``v`` is."""
    return torch.promote_types(v.dtype, torch.float32)


def _channels_last(v: Tensor, dim: int) -> Tensor:
    return v.movedim(dim, -1)  # a view; contiguous when v is (…, C), or (N, C, H, W) in channels_last
