"""A trunk that looks along rows and columns."""

from trunkzoo.plugin import TrunkSpec, hookimpl
from trunkzoo_stripes.config import StripesConfig


def build(config):
    from trunkzoo_stripes.model import Stripes

    return Stripes(config)


@hookimpl
def trunkzoo_trunks():
    yield TrunkSpec(name="stripes-s", summary="row and column convolutions", config=StripesConfig, build=build)
