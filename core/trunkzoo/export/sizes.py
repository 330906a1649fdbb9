"""Tracing with sizes that are numbers: only those that grow with the batch stay part of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

TRACED = 11
"""Samples in a traced example. A size that it divides is taken for one that grows with the batch."""
_SHAPE = torch.Tensor.shape.__get__  # type: ignore[attr-defined]  # a property of the C type


class FixedSizes(TorchFunctionMode):
    """Inside, a traced tensor's ``shape`` and ``size`` give plain integers, except multiples of ``TRACED``.

    The tracer records every size that code asks for and all arithmetic on it. Nearly all of them are constants of the
    architecture; recorded, they are most of the graph, and integer division of negative numbers is not the same in ONNX.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not torch.Tensor.size and func != _SHAPE:
            return result
        if isinstance(result, torch.Size):
            return torch.Size([_fixed(size) for size in result])
        return _fixed(result)


def _fixed(size: Any) -> Any:
    number = int(size)
    return size if number % TRACED == 0 else number
