"""Which device a name means, checked before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trunkzoo.errors import UsageError


def device_of(name: str) -> torch.device:
    """The device ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: no such kind of device, or torch sees none of it here.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device '{name}': unknown; use cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device '{name}': trunkzoo runs on cpu, cuda or cuda:N")
    seen = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= seen:
        what = f"torch sees {seen} GPUs" if seen else "torch sees no GPU"
        raise UsageError(f"device '{name}' asked for, but {what} here; use cpu, or see `zoo doctor`")
    return device


@contextmanager
def float32_products(tf32: bool) -> Iterator[None]:
    """Compute float32 convolutions and matrix products as IEEE 754 does, or all of them in TF32 on GPUs that have it.

    PyTorch's own default is TF32 for convolutions and not for linear layers: arms would differ in more than their trunk.
    """
    kinds = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [kind.allow_tf32 for kind in kinds]  # process-wide, so it is given back
    _allow(tf32, tf32)
    try:
        yield
    finally:
        _allow(*before)


def _allow(convolutions: bool, products: bool) -> None:
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.backends.cuda.matmul.allow_tf32 = products
