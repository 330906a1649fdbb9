"""Facts about a trunk that can be counted: what ``zoo show`` prints and what registry.toml asserts."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from trunkzoo.agent.assemble import require_trunk
from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.part import Configured
from trunkzoo.errors import PluginError
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.records import TrunkSpec

GOLDEN_SIZE = 64


@dataclass(frozen=True)
class TrunkNumbers:
    """Countable facts of a trunk in one configuration; computed on the meta device, without memory or time."""

    params: int
    channels: int
    stride: int
    map_96: tuple[int, int, int]
    """(C, h, w) of the feature map of a 96 × 96 image."""
    macs_96: int
    """Multiply-adds of one 96 × 96 image."""
    macs_224: int
    """Multiply-adds of one 224 × 224 image."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)


def count_trunk(part: Configured[TrunkSpec[Any]]) -> TrunkNumbers:
    """Build the trunk on the meta device, without its initial weights, and count; PluginError if it is none."""
    what = part.title
    kept = part.config.model_dump(mode="json", exclude=set(part.spec.initial))
    config = parse(part.spec.config, kept, "trunk")
    with plugin_code(f"building {what} on the meta device"), torch.device("meta"):
        trunk = cast(Any, require_trunk(part.spec.build(config), what)).eval()
        features = trunk(torch.empty(1, 3, 96, 96))
    if not (isinstance(features, Tensor) and features.dim() == 4):
        raise PluginError(f"{what}: forward gives no feature map (N, C, h, w); `zoo check` shows more")
    c, h, w = (int(n) for n in features.shape[1:])
    return TrunkNumbers(
        params=count_parameters(trunk),
        channels=int(trunk.out_channels),
        stride=int(trunk.stride),
        map_96=(c, h, w),
        macs_96=count_multiply_adds(trunk, 96),
        macs_224=count_multiply_adds(trunk, 224),
    )


@torch.no_grad()
def golden(spec: TrunkSpec[Any]) -> str:
    """A hash of the features of fixed weights and a fixed image: it changes when the computed function changes.

    Weights and image are exact arithmetic, not the trunk's initialisation, and all is float64 rounded to 1e-6, so
    the hash does not depend on the machine or on torch's random numbers.
    """
    trunk = spec.build(parse(spec.config, spec.defaults, spec.name)).eval().double()
    _fill(trunk)
    image = _spread(torch.Size((1, 3, GOLDEN_SIZE, GOLDEN_SIZE)), 0)
    rounded = np.rint(trunk(image).numpy() * 1e6).astype(np.int64)  # (1, C, h, w); the last digits differ between CPUs
    return f"sha256:{hashlib.sha256(rounded.tobytes()).hexdigest()[:16]}"


def _fill(trunk: nn.Module) -> None:
    for i, (name, parameter) in enumerate(sorted(trunk.named_parameters()), 1):
        parameter.copy_(_weights(name, parameter.shape, i))


def _weights(name: str, shape: torch.Size, stream: int) -> Tensor:
    """Variance 1/fan-in for matrices and kernels, near 1 for gains, near 0 for the rest."""
    gain = (3 / max(1, shape[1:].numel())) ** 0.5 if len(shape) > 1 else 0.1
    return _spread(shape, stream) * gain + float(len(shape) == 1 and name.endswith("weight"))


def _spread(shape: torch.Size, stream: int) -> Tensor:
    """Numbers spread evenly over (-1, 1): the fractional parts of multiples of two irrationals (Weyl 1916)."""
    k = torch.arange(1, shape.numel() + 1, dtype=torch.float64)
    return (torch.frac(k * 0.6180339887498949 + stream * 0.4142135623730951) * 2 - 1).view(shape)


def count_multiply_adds(trunk: nn.Module, size: int) -> int:
    """Multiply-adds of convolutions, matrix products and attention for one ``size`` × ``size`` image."""
    trunk.eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the counter knows attention by its two products
        trunk(torch.zeros(1, 3, size, size, device=next(trunk.parameters()).device))
    return int(counter.get_total_flops()) // 2  # a multiply-add counts as two operations there


def count_parameters(module: nn.Module) -> int:
    """Number of trainable and frozen parameters, buffers left out."""
    return sum(parameter.numel() for parameter in module.parameters())
