"""What fuzzing may touch: the watch sees every way to change a file elsewhere, and readers of hostile bytes use none."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from watch import watched

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.mark.parametrize(
    "change",
    [
        "open('x', 'w')",
        "os.mkdir('x')",
        "os.symlink('a', 'x')",
        "os.rename('y', 'x')",
        "os.unlink('x')",
        "os.truncate('x', 0)",
    ],
)
def test_the_watch_sees_a_change_elsewhere_and_none_inside(tmp_path: Path, change: str) -> None:
    inside, elsewhere = tmp_path / "inside", tmp_path / "elsewhere"
    inside.mkdir()
    elsewhere.mkdir()
    for folder, seen in ((inside, 0), (elsewhere, 1)):
        code = f"import contextlib, os\nos.chdir({str(folder)!r})\nwith contextlib.suppress(OSError): {change}"
        code = code.replace("'x'", repr(str(folder / "x"))).replace("'y'", repr(str(inside / "y")))
        _, _, found = watched([sys.executable, "-S", "-c", code], inside, {})
        assert len(found) == seen, found


@pytest.mark.slow
def test_some_thousand_hostile_inputs_touch_nothing_else(tmp_path: Path) -> None:
    run = Path(__file__).with_name("run.py")
    code, said, found = watched([sys.executable, str(run), "60"], tmp_path, {})
    assert (code, found) == (0, []), said
    assert "no finding" in said
