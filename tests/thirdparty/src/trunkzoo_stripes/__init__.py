"""A trunk that looks along rows and columns."""

from collections.abc import Iterator

from trunkzoo.plugin import TrunkSpec, VisionTrunk, hookimpl
from trunkzoo_stripes.config import StripesConfig


def build(config: StripesConfig) -> VisionTrunk:
    from trunkzoo_stripes.model import Stripes

    return Stripes(config)


@hookimpl
def trunkzoo_trunks() -> Iterator[TrunkSpec[StripesConfig]]:
    yield TrunkSpec(name="stripes-s", summary="row and column convolutions", config=StripesConfig, build=build)
