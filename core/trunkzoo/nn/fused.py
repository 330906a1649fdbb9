"""Depth attention with its closed-form backward: saves α, 1/rms and score per source and position, and no copies.

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

from trunkzoo.nn.depth import inverse_rms, scores_of, softmax_over


def fused_depth_mix(query: Tensor, values: Sequence[Tensor], mask: Tensor | None, eps: float) -> Tensor:
    """Mix values (…, C) with query (C,) or (…, C); see :func:`trunkzoo.nn.depth.depth_mix`."""
    mixed: Tensor = _FusedDepthMix.apply(query, mask, eps, *values)  # type: ignore[no-untyped-call]  # torch's stub
    return mixed


class _FusedDepthMix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, mask: Tensor | None, eps: float, *values: Tensor) -> Tensor:
        r = inverse_rms(values, eps)
        scores = scores_of(query, values, r)
        weights = softmax_over(scores, mask)
        ctx.save_for_backward(query, weights, scores, r, *values)
        a = weights.unsqueeze(-1)
        total = a[0] * values[0]
        for i in range(1, len(values)):
            total.addcmul_(a[i], values[i])
        return total.to(values[0].dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        query, weights, scores, r, *values = ctx.saved_tensors
        w, g = query.to(r.dtype), g.to(r.dtype)
        product = torch.empty_like(g)
        s = torch.stack([torch.mul(g, v, out=product).sum(-1) for v in values])
        del product  # one map less while the gradients are made
        d_scores = s.sub_((weights * s).sum(0)).mul_(weights)  # (L, …)
        dr = d_scores.mul_(r).unsqueeze(-1)
        d_values = []
        for i, v in enumerate(values):
            pull = dr[i] * (scores[i] * r[i]).unsqueeze(-1)
            d_v = (weights[i].unsqueeze(-1) * g).addcmul_(dr[i], w).addcmul_(pull, v, value=-1 / v.shape[-1])
            d_values.append(d_v.to(v.dtype))
        return _query_gradient(dr, values, w).to(query.dtype), None, None, *d_values


def _query_gradient(dr: Tensor, values: Sequence[Tensor], w: Tensor) -> Tensor:
    total = torch.zeros_like(w)
    for i, v in enumerate(values):
        if w.dim() == 1:
            total.addmv_(v.to(w.dtype).reshape(-1, w.shape[0]).t(), dr[i].reshape(-1))
        else:
            total.addcmul_(dr[i], v)
    return total
