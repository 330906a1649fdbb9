"""Depth attention: the one definition of Attention Residuals (Kimi Team, arXiv 2603.15031, eq. 2-4).

    h_l = Σ_i α_i v_i,   α = softmax_i(w_l · RMSNorm(v_i)),   i = 0 … l-1

Per position, over the raw outputs v_i of all earlier sublayers (v_0 is the entry of the stack). Keys have no gain, the
scores no scale, the values no projection. Scores and sums are float32 or wider; the result has the dtype of ``v_0``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trunkzoo.nn.depth_terms import inverse_rms, scores_of, softmax_over, weighted_sum, wide_dtype
from trunkzoo.nn.fused import fused_depth_mix
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
    """Mix ``sources`` by attention over depth: a tensor shaped as each source.

    ``sources`` are L ≥ 1 tensors of equal shape with their channels in ``dim``: (…, C) with -1, (N, C, H, W) with 1.
    ``query`` is w (C,), or one query per position, shaped as a source. ``mask`` is bool, broadcastable to
    (L, *positions); False takes a source out, and one must stay everywhere. ``eps`` is added to the mean square of a
    key. ``fused`` uses the closed-form backward of ``fused.py`` (faster, little memory; no forward-mode AD); a compiler
    gets the plain formula in any case, whose backward it fuses as well, and a traced graph the stacked one.
    """
    if torch.jit.is_tracing():  # type: ignore[no-untyped-call,attr-defined]  # missing in the stubs
        return _stacked(query, sources, dim, mask, eps)
    values = [_channels_last(v, dim) for v in sources]  # L × (…, C)
    query = query if query.dim() == 1 else _channels_last(query, dim)  # (C,) or (…, C)
    if fused and not torch.compiler.is_compiling():
        mixed = fused_depth_mix(query, values, mask, eps)
    else:
        mixed = weighted_sum(attention(query, values, mask, eps), values)  # (…, C)
    return mixed.movedim(-1, dim)


def depth_weights(
    query: Tensor, sources: Sequence[Tensor], *, dim: int = -1, mask: Tensor | None = None, eps: float = EPS
) -> Tensor:
    """The weights α of :func:`depth_mix`: (L, *positions), float32 or wider, summing to one over L."""
    query = query if query.dim() == 1 else _channels_last(query, dim)  # (C,) or (…, C)
    return attention(query, [_channels_last(v, dim) for v in sources], mask, eps)


def attention(query: Tensor, values: Sequence[Tensor], mask: Tensor | None, eps: float) -> Tensor:
    """softmax_i(w · RMSNorm(v_i)) for values (…, C): (L, …)."""
    if torch.compiler.is_compiling():
        return softmax_over(_scores_in_one_loop(query, values, eps), mask)
    return softmax_over(scores_of(query, values, inverse_rms(values, eps)), mask)


def _scores_in_one_loop(query: Tensor, values: Sequence[Tensor], eps: float) -> Tensor:
    """The scores, written so that a compiler reads each source once for them, and once for the gradient of w.

    Inductor ends a loop at every stack on CPUs, so norms and products share one; and it sums the gradient of a query
    that was expanded once in one loop, instead of one per source.
    """
    wide = [v.to(wide_dtype(v)) for v in values]  # L × (…, C), float32 or wider
    w = query.to(wide[0].dtype).expand_as(wide[0])
    return torch.stack([(v * w).sum(-1) * torch.rsqrt(v.square().mean(-1) + eps) for v in wide])  # (L, …)


def _stacked(query: Tensor, sources: Sequence[Tensor], dim: int, mask: Tensor | None, eps: float) -> Tensor:
    """The same mix in a dozen operations whatever L is, without moving the channels.

    An exported graph runs every operation as a kernel of its own: source by source it has thousands of small ones.
    """
    v = torch.stack([source.to(wide_dtype(source)) for source in sources])  # (L, *shape of a source)
    at = dim if dim < 0 else dim + 1
    w = query if query.dim() > 1 else query.reshape(-1, *[1] * (v.dim() - 1 - at % v.dim()))  # (C,) or (C, 1, 1)
    scores = (v * w).sum(at, keepdim=True) * torch.rsqrt(v.square().mean(at, keepdim=True) + eps)
    weights = softmax_over(scores, None if mask is None else mask.unsqueeze(at))
    return (v * weights).sum(0).to(sources[0].dtype)


def _channels_last(v: Tensor, dim: int) -> Tensor:
    return v.movedim(dim, -1)  # a view; contiguous when v is (…, C), or (N, C, H, W) in channels_last
