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
def ieee_float32() -> Iterator[None]:
    """Compute float32 convolutions as IEEE 754 does, like matrix products.

    PyTorch lets convolutions, but not linear layers, round to TF32 on GPUs that have it: arms would differ in more than
    their trunk.
    """
    before = torch.backends.cudnn.allow_tf32  # process-wide, so it is given back
    torch.backends.cudnn.allow_tf32 = False  # matrix products are exact unless a user says otherwise
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
