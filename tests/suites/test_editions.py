"""A cell is done for the code that made it: an edited editable plugin makes a new one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reach_task import FOLDER, install, small
from trunkzoo_cli.app import main
from zoo_process import SUPPORT

PROBE = """
import sys
from pathlib import Path
from reach_task import REGISTRY, reach, small
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
versions = plan(open_zoo().catalogue, "noop", task=reach(fault="none")).provenance["versions"]
print(small(Path(sys.argv[1]), text=REGISTRY.replace("reach/reach", "faulty/reach")).tasks[0].collects[0].key, *(value for value in versions.values() if "+files." in value))
"""


def test_cells_and_rows_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin lies in a folder of its own, as ``pip install -e`` would install it."""
    source = tmp_path / "source"
    shutil.copytree(FOLDER, source, ignore=shutil.ignore_patterns("__pycache__"))
    origin = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (next(source.glob("*.dist-info")) / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setenv("PYTHONPATH", f"{source}:{SUPPORT}")
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "reach,faulty,resnet,imf")

    def asked() -> list[str]:
        command = [sys.executable, "-c", PROBE, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    before = asked()
    assert asked() == before
    module = next(source.glob("*.py"))
    module.write_text(module.read_text() + "\nEDITED = True\n")
    cell, edition = asked()
    assert cell != before[0]
    assert edition != before[1]


def test_a_suite_does_not_move_into_a_training_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    small(tmp_path)
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "small"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    with pytest.raises(SystemExit) as left:
        main(["suite", "run", "small"])
    assert left.value.code == 2
    assert "is a training run; give -o another directory" in capsys.readouterr().err
    assert [path.name for path in run.iterdir()] == ["run.json"]
