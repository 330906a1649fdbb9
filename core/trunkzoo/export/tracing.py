"""Tracing in which only what depends on the inputs is recorded, and only sizes that grow with the batch are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

TRACED = 11
"""Samples in a traced example. A size that it divides is taken for one that grows with the batch."""
_SHAPE = torch.Tensor.shape.__get__  # type: ignore[attr-defined]  # a property of the C type


class Constants(TorchFunctionMode):
    """Inside, what is computed of a module's weights alone is a constant, and so are a traced tensor's sizes.

    The tracer records every operation, such as the resampling of position embeddings for a size of image that is fixed
    in the graph, and every size with all arithmetic on it. Recorded, they are most of the graph, some have no
    counterpart in ONNX, and integer division of negative numbers is another one there.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._constant = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if torch._C._get_tracing_state() is None:
            return func(*args, **(kwargs or {}))
        given = list(_tensors([args, dict(kwargs or {})]))
        if all(id(tensor) in self._constant for tensor in given):
            with _untraced():
                result = func(*args, **(kwargs or {}))
                if isinstance(result, Tensor) and id(result) not in self._constant:
                    result = result.detach()  # a parameter in its own shape again still asks for a gradient
            self._constant |= {id(tensor): tensor for tensor in _tensors(result)}
            return result
        if _in_place(func):
            self._constant = {key: tensor for key, tensor in self._constant.items() if tensor is not given[0]}
        result = func(*args, **(kwargs or {}))
        if func is not torch.Tensor.size and func != _SHAPE:
            return result
        if isinstance(result, torch.Size):
            return torch.Size([_fixed(size) for size in result])
        return _fixed(result)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _in_place(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


@contextmanager
def _untraced() -> Iterator[None]:
    set_state: Callable[[Any], None] = torch._C._set_tracing_state  # type: ignore[attr-defined]  # not in its stub
    state = torch._C._get_tracing_state()
    set_state(None)
    try:
        yield
    finally:
        set_state(state)


def _fixed(size: Any) -> Any:
    number = int(size)
    return size if number % TRACED == 0 else number
