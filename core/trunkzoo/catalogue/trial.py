"""Describe plugins of others in processes of their own first: a crash or a hang in C code ends those, not ours.

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

LOOK = 0.02  # seconds between looks at the processes
THROUGH = 77  # their exit code; 0 is also that of whatever a plugin may have become


def fatal(claims: Sequence[Claim]) -> dict[Claim, str]:
    """Why describing a plugin would end or hang our process, for those that would; one line each."""
    marks = {claim: mark for claim in claims if normal(claim.distribution) != OURS and (mark := _mark(claim))}
    waiting = [claim for claim, mark in marks.items() if not mark.exists()]
    running: list[Trial] = []
    found: dict[Claim, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(Trial(waiting.pop(0)))
            time.sleep(LOOK)
            for trial in list(running):
                fault = trial.fault()
                if fault is not None:
                    running.remove(trial)
                    trial.end()
                    found |= {trial.claim: fault} if fault else {}
                if fault == "":
                    _remember(marks[trial.claim])
    finally:
        for trial in running:
            trial.end()
    return found


class Trial:
    """A process that describes one plugin."""

    def __init__(self, claim: Claim) -> None:
        point = claim.entry_point
        if point is None:
            raise AssertionError(f"{claim.name} has a verdict without an entry point")
        self.claim, self._since, self._named = claim, 0.0, False
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps([point.name, point.value, point.group])],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._begun = self._process.stdout
        if self._begun is not None:
            os.set_blocking(self._begun.fileno(), False)

    def fault(self) -> str | None:
        """None while it runs, then what the plugin did to it; empty if it came through."""
        code, now = self._process.poll(), time.monotonic()
        if code is not None:
            return "" if code == THROUGH else f"ended the process that tried to describe it ({_end(code)})"
        if not self._since:  # the interpreter's start is not the plugin's fault
            self._since = now if self._begun is None or self._begun.read(1) else 0.0
            return None
        if now - self._since > LEFT_AFTER:
            return f"did not return within {LEFT_AFTER:.0f} s"
        if now - self._since > NAMED_AFTER and not self._named:
            say_waiting(self.claim.title)
            self._named = True
        return None

    def end(self) -> None:
        """Kill the process, and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._begun is not None:
            self._begun.close()


def _end(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def _mark(claim: Claim) -> Path | None:
    """The file that says that this very code came through; None where nothing is to be tried, or can be remembered."""
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


def _describe(name: str, value: str, group: str) -> None:
    """What the process does."""
    leave = os._exit
    os.write(1, b".")
    with suppress(BaseException), contained():
        load_records(metadata.EntryPoint(name, value, group))
    leave(THROUGH)  # not waiting for threads


if __name__ == "__main__":
    _describe(*json.loads(sys.argv[1]))
