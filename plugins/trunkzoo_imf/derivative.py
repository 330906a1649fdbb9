"""The derivative of a network along a path, by forward-mode AD."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

Field = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z (B, H, A), r (B,), t (B,)) → velocity (B, H, A)."""


def total_derivative(field: Field, z: Tensor, r: Tensor, t: Tensor, tangent: Tensor) -> Tensor:
    """d/dt u(z_t, r, t): the JVP of u along (dz/dt, 0, 1) (MeanFlow, arXiv 2505.13447).

    Call it under ``no_grad``: with gradients it would keep more than twice the memory of a plain pass.
    """
    with sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():  # fused attention has no forward-mode derivative
        _, du = _unpack(field(_dual(z, tangent), r, _dual(t, torch.ones_like(t))))
    return torch.zeros_like(z) if du is None else du


class Linear(nn.Linear):
    """``nn.Linear`` that does not multiply its input with the zero tangent of its weight: two products, not three."""

    def forward(self, x: Tensor) -> Tensor:
        x, dx = _unpack(x)  # value and tangent, both (…, inputs)
        y = super().forward(x)
        return y if dx is None else _dual(y, F.linear(dx, self.weight))


def has_tangent(x: Tensor) -> bool:
    """Whether a forward-mode derivative is being taken through ``x``."""
    return _unpack(x)[1] is not None


def _dual(x: Tensor, tangent: Tensor) -> Tensor:
    return forward_ad.make_dual(x, tangent)  # type: ignore[no-any-return, no-untyped-call]  # torch lacks the types


def _unpack(x: Tensor) -> tuple[Tensor, Tensor | None]:
    return forward_ad.unpack_dual(x)  # type: ignore[no-any-return, no-untyped-call]  # torch lacks the types
