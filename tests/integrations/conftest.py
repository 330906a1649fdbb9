"""What tests inside lerobot share. Where lerobot is not installed nothing here is collected: `make test-lerobot` has it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("lerobot") else ["test_*.py"]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """lerobot and what it imports warn of themselves; here that is no error."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def detour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations of ``reach/detour`` as ``zoo collect`` writes them."""
    from trunkzoo.catalogue.part import Part
    from trunkzoo.registry import open_zoo
    from trunkzoo.rollouts.collect import collect

    folder = tmp_path_factory.mktemp("data") / "detour"
    collect(open_zoo().catalogue.configure("task", Part(name="reach/detour")), 3, folder)
    return folder
