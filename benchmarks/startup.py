"""Start-up of ``zoo list`` ÷ importing the libraries that any such command needs. Target: at most 1.6.

Processor time of child processes, the two commands in turns, medians. Both run from compiled bytecode, as installed
packages do, even where PYTHONDONTWRITEBYTECODE is set.

    python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = 1.6
BARE = [sys.executable, "-c", "import typer, rich, pydantic, pluggy, importlib.metadata as m; m.entry_points()"]
ZOO = [str(Path(sys.executable).with_name("zoo")), "list"]


def cpu_seconds(command: list[str], bytecode: str) -> float:
    """User and system time of one child process that keeps its bytecode in a folder."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(rounds: int) -> tuple[float, float]:
    """Median seconds of the bare imports and of ``zoo list``; the first round compiles and is dropped."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(cpu_seconds(BARE, folder), cpu_seconds(ZOO, folder)) for _ in range(rounds + 1)][1:]
    return statistics.median(bare for bare, _ in pairs), statistics.median(zoo for _, zoo in pairs)


def main() -> None:
    """Print the figures; leave with 1 when the target is missed."""
    bare, zoo = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
    print(f"imports {bare * 1e3:.0f} ms · zoo list {zoo * 1e3:.0f} ms · ratio {zoo / bare:.2f} (target ≤ {TARGET})")
    sys.exit(zoo / bare > TARGET)


if __name__ == "__main__":
    main()
