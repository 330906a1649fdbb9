"""Which device a name means, checked before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trunkzoo.errors import UsageError

_BF16_TERA = (  # dense products with float32 sums, by the makers' data sheets; the first name that is part of a card's
    ("B200", 2250.0),
    ("H200 NVL", 835.0),
    ("H200", 989.0),
    ("GH200", 989.0),
    ("H100 NVL", 835.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("A100", 312.0),
    ("L40S", 362.0),
    ("L4", 121.0),
    ("A40", 149.7),
    ("A10", 125.0),
    ("RTX A6000", 154.8),
)


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


def bf16_peak(card: str) -> float | None:
    """Operations per second that a card's maker promises in bf16; None for one that is not in our list, or a slice of one (MIG).

    ``card`` is its name as torch has it, such as ``NVIDIA H100 80GB HBM3``.
    """
    words = f" {card.replace('-', ' ')} "
    return None if " MIG " in words else next((t * 1e12 for name, t in _BF16_TERA if f" {name} " in words), None)


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
