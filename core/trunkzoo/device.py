"""Which device a name means, checked before anything is built on it."""

from __future__ import annotations

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
