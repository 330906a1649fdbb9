from trunkzoo.testing import parametrize_plugin


@parametrize_plugin("stripes")
def test_conformance(check):
    check()
