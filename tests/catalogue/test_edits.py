"""Edits of a third party's editable plugin change what names its code; nothing else does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_process import GOOD, write_plugin

PROBE = """
from trunkzoo.catalogue.edits import edition
from trunkzoo.registry import open_zoo
print(*[edition(row) for row in open_zoo().catalogue.plugins if row.name in ("good", "resnet")])
"""
Editions = Callable[[], list[str]]


@pytest.fixture
def editions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editions:
    """What names the code of ``good`` and ``resnet``, asked in a fresh process."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    write_plugin(tmp_path, "good", GOOD)

    def ask() -> list[str]:
        return subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout.split()

    return ask


def editable(folder: Path) -> None:
    """Mark the plugin as pip marks what ``pip install -e`` installs."""
    origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    (folder / "zoofix_good-1.0.dist-info" / "direct_url.json").write_text(json.dumps(origin))


def test_an_installed_plugin_goes_by_its_version(editions: Editions, tmp_path: Path) -> None:
    before = editions()
    (tmp_path / "zoofix_good.py").write_text(GOOD + "\nEDITED = True\n")
    assert editions() == before
    assert before[0] == "1.0"


def test_an_edit_of_an_editable_plugin_is_another_edition(editions: Editions, tmp_path: Path) -> None:
    editable(tmp_path)
    before = editions()
    assert before[0].startswith("1.0+files.")
    assert editions() == before
    (tmp_path / "zoofix_good.py").write_text(GOOD + "\nEDITED = True\n")
    after = editions()
    assert after[0] != before[0]
    assert after[1] == before[1]  # trunkzoo's own, which is editable here too: by its version
    assert "+files" not in before[1]


def test_files_beside_the_code_count_too(editions: Editions, tmp_path: Path) -> None:
    package = tmp_path / "zoofix_good"
    package.mkdir()
    (tmp_path / "zoofix_good.py").rename(package / "__init__.py")
    (package / "scene.xml").write_text("<mujoco/>")
    editable(tmp_path)
    before = editions()
    (package / "scene.xml").write_text("<mujoco><option/></mujoco>")
    assert editions()[0] != before[0]
