"""The checks that every plugin of trunkzoo passes, for this one."""

from collections.abc import Callable

from trunkzoo.testing import parametrize_plugin


@parametrize_plugin("stripes")
def test_conformance(check: Callable[[], None]) -> None:
    check()
