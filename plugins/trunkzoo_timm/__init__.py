"""Built-in plugin: models of timm (``pip install 'trunkzoo[timm]'``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TrunkSpec, hookimpl, require_installed
from trunkzoo_timm.config import TimmConfig

if TYPE_CHECKING:
    from trunkzoo_timm.model import TimmTrunk


def build(config: TimmConfig) -> TimmTrunk:
    """Build any timm model that gives feature maps.

    Raises:
        PluginError: timm, or torchvision, which it imports, is not installed.
    """
    require_installed(FEATURES)
    from trunkzoo_timm.model import TimmTrunk

    return TimmTrunk(config)


FEATURES = TrunkSpec(
    name="features",
    summary="any model of timm that gives feature maps",
    config=TimmConfig,
    build=build,
    requires=("timm", "torchvision"),
    extra="timm",
    initial=("weights", "pretrained"),
)


@hookimpl
def trunkzoo_trunks() -> Iterable[TrunkSpec[Any]]:
    """One record for every model of timm, by its ``model`` setting."""
    return [FEATURES]
