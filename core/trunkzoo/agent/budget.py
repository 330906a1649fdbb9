"""A limit on the memory that building an agent may ask for, held before any of it is taken."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from trunkzoo.errors import CheckpointError

_ATEN = torch.ops.aten
_MAKERS = frozenset(
    getattr(_ATEN, name)
    for name in ("empty", "zeros", "ones", "full", "rand", "randn", "empty_strided", "eye", "arange", "randperm")
)


class Budget(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not annotate it
    """Inside this block at most ``numbers`` numbers are made, all tensors together.

    The sizes in a checkpoint's recipe are anybody's; the tensors that its table lists are there. An agent of other sizes
    is refused while it is built, by its first tensor that is too large or by the number of its blocks.

    Raises:
        CheckpointError: more are asked for.
    """

    def __init__(self, numbers: int, whose: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._numbers, self._whose, self._made = numbers, whose, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket in _MAKERS:
            self._made += _size(args)
            if self._made > self._numbers:
                raise CheckpointError(
                    f"{self._whose} describes an agent of far more numbers than its tensors hold ({self._numbers:,} with "
                    "all that building needs): its recipe was changed; use another checkpoint"
                )
        return func(*args, **(kwargs or {}))


def _size(args: tuple[Any, ...]) -> int:
    """How many numbers a call of one of :data:`_MAKERS` makes, as far as its first argument tells."""
    first = args[0] if args else 0
    if isinstance(first, list | tuple):
        return math.prod(int(side) for side in first)
    return int(abs(first)) if isinstance(first, int | float) and math.isfinite(first) else 0
