"""Depth attention with its closed-form backward: saves α, 1/rms and score per source and position, and no copies.

With g = ∂L/∂h, s_i = g · v_i, r_i = 1/rms(v_i) and score l_i = r_i w · v_i:

    ∂L/∂l_i = α_i (s_i − Σ_j α_j s_j)
    ∂L/∂v_i = α_i g + ∂L/∂l_i (r_i w − l_i r_i² v_i / C)
    ∂L/∂w   = Σ_i ∂L/∂l_i r_i v_i   (summed over positions)

Reverse mode only: forward-mode AD needs the plain path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trunkzoo.nn.depth import rstd, score, weighted_sum


def fused_depth_mix(query: Tensor, values: Sequence[Tensor], mask: Tensor | None, eps: float) -> Tensor:
    """Mix values (…, C) with query (C,) or (…, C); see :func:`trunkzoo.nn.depth.depth_mix`."""
    mixed: Tensor = _FusedDepthMix.apply(query, mask, eps, *values)  # type: ignore[no-untyped-call]  # torch's stub
    return mixed


class _FusedDepthMix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, mask: Tensor | None, eps: float, *values: Tensor) -> Tensor:
        r = [rstd(v, eps) for v in values]
        scores = torch.stack([score(query, v, r_i) for v, r_i in zip(values, r, strict=True)])
        weights = (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(0)
        ctx.save_for_backward(query, weights, scores, *r, *values)
        return weighted_sum(weights, values)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        query, weights, scores, *rest = ctx.saved_tensors
        r, values = rest[: len(weights)], rest[len(weights) :]
        wide = weights.dtype
        w, g = query.to(wide), g.to(wide)
        s = torch.stack([(g * v).sum(-1) for v in values])
        d_scores = weights * (s - (weights * s).sum(0))  # (L, …)
        d_query = torch.zeros_like(w)
        d_values = []
        for a, d, score_i, r_i, v in zip(weights, d_scores, scores, r, values, strict=True):
            dr, vw = d * r_i, v.to(wide)
            d_v = torch.addcmul(a.unsqueeze(-1) * g, dr.unsqueeze(-1), w)
            d_v = torch.addcmul(d_v, (dr * score_i * r_i).unsqueeze(-1), vw, value=-1 / v.shape[-1])
            d_values.append(d_v.to(v.dtype))
            d_query = d_query + _query_gradient(dr, vw, w)
        return d_query.to(query.dtype), None, None, *d_values


def _query_gradient(dr: Tensor, v: Tensor, w: Tensor) -> Tensor:
    if w.dim() > 1:
        return dr.unsqueeze(-1) * v
    return dr.reshape(-1) @ v.reshape(-1, v.shape[-1])
