"""Describe plugins of others in a process of their own first: a crash or a hang in C code ends that one, not ours.

What came through is remembered by the plugin's files, so that each is tried once. Python code that hangs or leaves is
held in our process too (:mod:`trunkzoo.catalogue.guard`).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from trunkzoo.catalogue.claims import OURS, Claim, normal, roots
from trunkzoo.catalogue.guard import LEFT_AFTER, NAMED_AFTER, contained, say_waiting
from trunkzoo.catalogue.loader import load_records
from trunkzoo.errors import ZooError
from trunkzoo.system.places import cache_root

LOOK = 0.05  # seconds between looks at the process
START = 60.0  # seconds for the interpreter to start; after that nothing is tried


def fatal(claims: Sequence[Claim]) -> dict[Claim, str]:
    """Why describing a plugin would end or hang our process, for those that would; one line each."""
    found: dict[Claim, str] = {}
    left = {claim: mark for claim in claims if normal(claim.distribution) != OURS and (mark := _mark(claim))}
    left = {claim: mark for claim, mark in left.items() if not mark.exists()}
    while left:
        waiting = list(left)
        through, fault = _try(waiting)
        for claim in waiting[:through]:
            _remember(left.pop(claim))
        if fault:
            found[waiting[through]] = fault
            left.pop(waiting[through])
    return found


def _try(claims: Sequence[Claim]) -> tuple[int, str]:
    """How many plugins came through, and the fault of the next one; all of them where no process can be started."""
    entries = [(p.name, p.value, p.group) for claim in claims if (p := claim.entry_point)]
    with tempfile.NamedTemporaryFile(prefix="trunkzoo-trial-") as file:
        progress = Path(file.name)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, file.name, json.dumps(entries)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            hung = _follow(process, progress, claims)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started, too
            process.wait()
        through = _reached(progress)
    if through is None or through >= len(claims):
        return len(claims), ""
    return through, hung or f"ended the process that tried to describe it ({_end(process.returncode)})"


def _follow(process: subprocess.Popen[bytes], progress: Path, claims: Sequence[Claim]) -> str:
    """Wait for the end of the process, naming what it waits for; the fault of a plugin that takes too long."""
    at, since, named = _reached(progress), time.monotonic(), False
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
            return ""
        now, reached = time.monotonic(), _reached(progress)
        if reached != at:
            at, since, named = reached, now, False
        if at is None or at >= len(claims):
            if now - since > START:
                return ""
        elif now - since > LEFT_AFTER:
            return f"did not return within {LEFT_AFTER:.0f} s"
        elif now - since > NAMED_AFTER and not named:
            say_waiting(claims[at].title)
            named = True


def _reached(progress: Path) -> int | None:
    """How many plugins were described; None before the first one is begun."""
    text = progress.read_text()
    return int(text) if text else None


def _end(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def _mark(claim: Claim) -> Path | None:
    """The file that says that this very code came through; None where nothing is to be tried, or remembered."""
    if claim.entry_point is None:
        return None
    facts = [sys.version, claim.distribution, claim.version, claim.entry_point.value, *_files(claim.entry_point.value)]
    with suppress(ZooError):
        return cache_root() / "plugins" / hashlib.sha256("\n".join(facts).encode("utf-8", "replace")).hexdigest()
    return None


def _files(target: str) -> Iterator[str]:
    """The source files of the package that an entry point names, with their times and sizes."""
    for root in roots(target.partition(":")[0].partition(".")[0].strip()):
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.suffix in (".py", ".so"):
                with suppress(OSError):
                    facts = path.stat()
                    yield f"{path} {facts.st_mtime_ns} {facts.st_size}"


def _remember(mark: Path) -> None:
    with suppress(OSError):  # where nothing can be written it is tried again
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _describe(progress: str, entries: Sequence[Sequence[str]]) -> None:
    """What the process does: describe each plugin, and write how far it came by name, as plugins close descriptors."""
    leave = os._exit
    for done, (name, value, group) in enumerate(entries):
        Path(progress).write_text(str(done))
        with suppress(BaseException), contained():
            load_records(metadata.EntryPoint(name, value, group))
    Path(progress).write_text(str(len(entries)))
    leave(0)  # not waiting for threads


if __name__ == "__main__":
    _describe(sys.argv[1], json.loads(sys.argv[2]))
