"""Depth attention: the one definition of Attention Residuals (Kimi Team, arXiv 2603.15031, eq. 2-4).

    h_l = Σ_i α_i v_i,   α = softmax_i(w_l · RMSNorm(v_i)),   i = 0 … l-1

Per position, over the raw outputs v_i of all earlier sublayers (v_0 is the entry of the stack). Keys have no gain, the
scores no scale, the values no projection. Scores and sums are float32 or wider; the result has the dtype of ``v_0``.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        fused: use the closed-form backward of ``fused.py`` (faster, little memory; no forward-mode AD).

    Returns:
        A tensor shaped as each source.
    """
    values = [_channels_last(v, dim) for v in sources]
    query = query if query.dim() == 1 else _channels_last(query, dim)
    if fused:
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
    scores = torch.stack([score(query, v, rstd(v, eps)) for v in values])
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(0)


def rstd(v: Tensor, eps: float) -> Tensor:
    """1 / √(mean square + eps) over the channels of v (…, C): (…)."""
    norm = torch.linalg.vector_norm(v, dim=-1, dtype=wide_dtype(v))  # no v² in memory; its gradient at 0 is 0
    return torch.rsqrt(norm.square() / v.shape[-1] + eps)


def score(query: Tensor, v: Tensor, r: Tensor) -> Tensor:
    """w · RMSNorm(v), with the norm's factor ``r`` given: (…)."""
    v, query = v.to(r.dtype), query.to(r.dtype)
    dot = v @ query if query.dim() == 1 else (v * query).sum(-1)
    return dot * r


def weighted_sum(weights: Sequence[Tensor] | Tensor, values: Sequence[Tensor]) -> Tensor:
    """Σ_i α_i v_i with weights (L, …) and values (…, C), in the dtype of the weights, cast once to that of v_0."""
    total = weights[0].unsqueeze(-1) * values[0]
    for a, v in zip(weights[1:], values[1:], strict=True):
        total = torch.addcmul(total, a.unsqueeze(-1), v.to(total.dtype))
    return total.to(values[0].dtype)


def wide_dtype(v: Tensor) -> torch.dtype:
    """Float32, or float64 if ``v`` is."""
    return torch.promote_types(v.dtype, torch.float32)


def _channels_last(v: Tensor, dim: int) -> Tensor:
    return v.movedim(dim, -1)  # a view; contiguous when v is (…, C), or (N, C, H, W) in channels_last
