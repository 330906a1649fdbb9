"""Built-in plugin: the original ResNets (He et al. 2015), architecture and state-dict keys as torchvision has them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from trunkzoo.plugin import TrunkSpec, hookimpl
from trunkzoo_resnet.config import ResNetConfig

if TYPE_CHECKING:
    from trunkzoo_resnet.model import ResNet


def _build(config: ResNetConfig, depth: Literal[18, 34, 50]) -> ResNet:
    from trunkzoo_resnet.model import ResNet
    from trunkzoo_resnet.weights import load_weights

    trunk = ResNet(depth, config)
    if config.weights is not None:
        load_weights(trunk, config.weights)
    return trunk


def _spec(depth: Literal[18, 34, 50], blocks: str) -> TrunkSpec[ResNetConfig]:
    summary = f"the original ResNet-{depth}: {blocks} blocks, torchvision's keys"
    return TrunkSpec(
        name=f"resnet-{depth}",
        summary=summary,
        config=ResNetConfig,
        build=partial(_build, depth=depth),
        initial=("weights",),
    )


@hookimpl
def trunkzoo_trunks() -> Iterable[TrunkSpec[Any]]:
    """ResNet-18, 34 and 50."""
    return [_spec(18, "2-2-2-2 basic"), _spec(34, "3-4-6-3 basic"), _spec(50, "3-4-6-3 bottleneck")]
