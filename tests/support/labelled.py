"""A device that needs no hardware: tensors that say they are elsewhere, and compute on the CPU.

What runs on them meets the rules of a GPU: an operation takes tensors of one device, and the host waits where it reads a
number. Their label is ``meta``, the one device beside the CPU that every build of torch and its autograd know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE = torch.device("meta")
_HERE = torch.device("cpu")
_ATEN = torch.ops.aten
_WAITS = (_ATEN._local_scalar_dense, _ATEN.is_nonzero, _ATEN.nonzero, _ATEN.masked_select, _ATEN.equal)


class Labelled(torch.Tensor):
    """A tensor ``ELSEWHERE``, whose numbers ``held`` are on the CPU."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # how torch says "none"

    @staticmethod
    def __new__(cls, held: Tensor) -> Self:
        return torch.Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device=ELSEWHERE
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # the stub leaves func out
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError(f"{func} on {ELSEWHERE} outside a Machine")


class Machine(TorchDispatchMode):
    """Inside this block there is a device ``ELSEWHERE``; ``waits`` names what made the host wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is _ATEN._efficientzerotensor.default:  # it has no memory that could be held
            func = _ATEN.zeros.default
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        device = kwargs.get("device") or (ELSEWHERE if any(isinstance(x, Labelled) for x in tensors) else _HERE)
        self.waits += waits_of(func, args, tensors, device)
        own = {**kwargs, "device": _HERE} if "device" in kwargs else kwargs
        out = func(*tree_map(_held, args), **tree_map(_held, own))
        inputs = {id(_held(x)): x for x in tensors}  # what an operation changes in place it also returns

        def labelled(x: Any) -> Any:
            fresh = isinstance(x, Tensor) and device == ELSEWHERE and id(x) not in inputs
            return Labelled(x) if fresh else inputs.get(id(x), x)

        return tree_map(labelled, out)


def waits_of(func: Any, args: Any, tensors: Sequence[Tensor], device: torch.device) -> list[str]:
    """Names of what makes the host wait in an operation.

    Raises:
        RuntimeError: it mixes devices, as CUDA would refuse: only copies may, and element-wise operations with a number.
    """
    there = [isinstance(x, Labelled) for x in tensors]
    name = func.overloadpacket.__name__
    if func.overloadpacket in (_ATEN._to_copy, _ATEN.copy_):
        return [name] if {*there, device == ELSEWHERE} == {True, False} else []
    strangers = [x for x, labelled in zip(tensors, there, strict=True) if not labelled]
    if any(x.is_meta for x in strangers):
        raise RuntimeError(f"{func}: Python numbers were copied to the device one by one, and the host waits for that")
    if any(there) and any(x.dim() > 0 or torch.Tag.pointwise not in func.tags for x in strangers):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found {ELSEWHERE} and {_HERE}")
    mask = func.overloadpacket is _ATEN.index and any(x is not None and x.dtype == torch.bool for x in args[1])
    return [name] if any(there) and (mask or func.overloadpacket in _WAITS) else []


def _held(x: Any) -> Any:
    return x.held if isinstance(x, Labelled) else x
