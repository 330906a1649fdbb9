"""Run ``zoo``, a test's own script or pip in a process of its own, as a user does, and make plugins without pip."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import termios
from pathlib import Path
from typing import NamedTuple

SUPPORT = Path(__file__).parent
FIXTURES = Path(__file__).parents[1] / "fixtures" / "plugins"


class Run(NamedTuple):
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


def zoo(*arguments: str, path: Path | None = None, cwd: Path | None = None, **environment: str) -> Run:
    """``zoo`` with the plugins found in folder ``path``."""
    extra = {"PYTHONPATH": str(path)} if path is not None else {}
    done = subprocess.run(
        [sys.executable, "-m", "trunkzoo_cli", *arguments],
        env=os.environ | extra | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def script(file: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a test file as a program that finds the helpers of this folder."""
    return subprocess.Popen([sys.executable, file, *arguments], env=os.environ | {"PYTHONPATH": str(SUPPORT)})


def pip_install(package: Path, target: Path) -> None:
    """Install into a folder of its own, without the network."""
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--target", str(target), "--upgrade"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(package)], check=True)


def write_plugin(folder: Path, name: str, code: str, entry_points: str | None = None) -> None:
    """A plugin as an installer leaves it: module ``zoofix_NAME`` and the dist-info of ``zoofix-NAME`` 1.0."""
    (folder / f"zoofix_{name}.py").write_text(code)
    info = folder / f"zoofix_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: zoofix-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points or f"[trunkzoo.v1]\n{name} = zoofix_{name}\n")


GOOD = (FIXTURES / "zoofix_good.py").read_text()


def zoo_in_terminal(*arguments: str, columns: int = 100) -> Run:
    """``zoo`` in a terminal of its own with 24-bit colours; all that it shows counts as printed."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    process = subprocess.Popen(
        [sys.executable, "-m", "trunkzoo_cli", *arguments],
        env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # as a terminal says that nobody holds its other end
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    return Run(process.wait(), shown.decode(), "")
