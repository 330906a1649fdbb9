"""Depth attention with its closed-form backward: saves 1/rms and score per source and position, and no copies.

With g = ∂L/∂h, s_i = g · v_i, r_i = 1/rms(v_i) and score l_i = r_i w · v_i:

    ∂L/∂l_i = α_i (s_i − Σ_j α_j s_j)
    ∂L/∂v_i = α_i g + ∂L/∂l_i (r_i w − l_i r_i² v_i / C)
    ∂L/∂w   = Σ_i ∂L/∂l_i r_i v_i   (summed over positions)

Reverse mode only: forward-mode AD needs the plain path. Sums run in place, because a fresh map per term costs more
than its arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trunkzoo.nn.depth_terms import inverse_rms, scores_of, softmax_over, weighted_sum


def fused_depth_mix(query: Tensor, values: Sequence[Tensor], mask: Tensor | None, eps: float) -> Tensor:
    """Mix values (…, C) with query (C,) or (…, C); see :func:`trunkzoo.nn.depth.depth_mix`."""
    mixed: Tensor = _FusedDepthMix.apply(query, mask, eps, *values)  # type: ignore[no-untyped-call]  # torch's stub
    return mixed


class _FusedDepthMix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, mask: Tensor | None, eps: float, *values: Tensor) -> Tensor:
        r = inverse_rms(values, eps)  # (L, …)
        scores = scores_of(query, values, r)  # (L, …)
        weights = softmax_over(scores, mask)
        ctx.save_for_backward(query, mask, scores, r, *values)
        a = weights.unsqueeze(-1)
        total = a[0] * values[0]
        for i in range(1, len(values)):
            total.addcmul_(a[i], values[i])
        return total.to(values[0].dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        query, mask, scores, r, *values = ctx.saved_tensors
        weights = softmax_over(scores, mask)
        w, g = query.to(r.dtype), g.to(r.dtype)
        s = _dots(g, values)  # g · v_i: (L, …)
        dr = s.sub_((weights * s).sum(0)).mul_(weights).mul_(r)  # ∂L/∂l_i r_i: (L, …)
        pull = (dr * scores).mul_(r).div_(-values[0].shape[-1])  # −∂L/∂l_i l_i r_i² / C: (L, …)
        a, key, own = (x.unsqueeze(-1) for x in (weights, dr, pull))  # (L, …, 1) each
        d_values = [
            (a[i] * g).addcmul_(key[i], w).addcmul_(own[i], v).to(v.dtype)  # one fresh map
            for i, v in enumerate(values)
        ]
        return _query_gradient(dr, values, w).to(query.dtype), None, None, *d_values


def _dots(g: Tensor, values: Sequence[Tensor]) -> Tensor:
    product = torch.empty_like(g)
    return torch.stack([torch.mul(g, v, out=product).sum(-1) for v in values])


def _query_gradient(dr: Tensor, values: Sequence[Tensor], w: Tensor) -> Tensor:
    if w.dim() > 1:
        return weighted_sum(dr, values)  # a query per position: (…, C)
    total = torch.zeros_like(w)
    for i, v in enumerate(values):
        total.addmv_(v.to(w.dtype).reshape(-1, w.shape[0]).t(), dr[i].reshape(-1))  # Σ over positions: (C,)
    return total
