"""Fuzz under strace, and hold that no file outside the run's own folder is touched: ``python tests/fuzz/watch.py SECONDS [TARGET…]``.

Every attempt counts, a refused one too, of every process that the run starts: to open for writing, to create, rename,
link or remove. It ends with 1 and the calls if there was one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

CALLS = "openat,open,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,link,linkat,truncate"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC)")
HARMLESS = ("/dev/null", "/dev/tty", "/dev/shm/", "/proc/self/", "/proc/thread-self/")


def outside(lines: Iterable[str], folder: Path, working: Path) -> Iterator[str]:
    """The lines of strace that would change a file which is not in ``folder``; relative paths begin at ``working``."""
    allowed = (f"{folder}/", *HARMLESS)
    for line in lines:
        call = _CALL.match(line)
        if call is None or (call[1] in ("open", "openat") and not _WRITES.search(line)):
            continue
        found = [os.path.normpath(os.path.join(base or working, path)) for base, path in _PATH.findall(call[2])]
        changed = found[-1:] if call[1] in ("link", "linkat", "symlink", "symlinkat") else found
        if not all(f"{path}/".startswith(allowed) for path in changed):
            yield line


def watched(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str, list[str]]:
    """Run a command with its temporary files in ``folder``; returns its exit code, what it said, and calls outside."""
    log = folder / "calls.log"
    own = {
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    strace = ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none"]
    run = subprocess.run(
        [*strace, "-o", str(log), *command],
        env=os.environ | environment | own,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    with log.open(encoding="utf-8", errors="replace") as lines:
        found = list(outside(lines, folder, folder))
    return run.returncode, run.stdout, found


def main(arguments: list[str]) -> int:
    """Fuzz watched; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="trunkzoo-watch-") as folder:
        command = [sys.executable, str(Path(__file__).with_name("run.py").resolve()), *arguments]
        code, said, found = watched(command, Path(folder).resolve(), {})
    print(said, end="")
    print("".join(found[:20]), end="")
    print(f"{len(found)} calls that change a file outside")
    return code or bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
