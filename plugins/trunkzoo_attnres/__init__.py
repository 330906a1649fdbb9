"""Built-in plugin: 2-D trunks in which every residual connection is attention over depth (full AttnRes)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TrunkSpec, hookimpl
from trunkzoo_attnres.config import AttnResConfig

if TYPE_CHECKING:
    from trunkzoo_attnres.model import AttnResTrunk


def _build(config: AttnResConfig) -> AttnResTrunk:
    from trunkzoo_attnres.model import AttnResTrunk

    return AttnResTrunk(config)


def _spec(name: str, summary: str, **defaults: Any) -> TrunkSpec[AttnResConfig]:
    return TrunkSpec(name=name, summary=summary, config=AttnResConfig, build=_build, defaults=defaults)


@hookimpl
def trunkzoo_trunks() -> Iterable[TrunkSpec[Any]]:
    """Four families of one configuration, each of ResNet-18's size."""
    return [
        _spec("attnres-conv-18", "ResNet-18 in pre-norm order, identity + add replaced by depth attention"),
        _spec(
            "attnres-conv-deep",
            "every 3×3 convolution a sublayer of its own: deeper and narrower",
            kinds=("conv",) * 4,
            depths=(4, 6, 10, 5),
            widths=(48, 96, 192, 384),
        ),
        _spec(
            "attnres-tokens",
            "feature maps as tokens: attention and MLP sublayers, windowed where tokens are many",
            kinds=("tokens",) * 4,
            depths=(1, 1, 6, 2),
        ),
        _spec(
            "attnres-hybrid",
            "convolutions where tokens are many, attention and MLP where sublayers are many",
            kinds=("conv", "conv", "tokens", "tokens"),
            depths=(2, 4, 5, 2),
        ),
    ]
