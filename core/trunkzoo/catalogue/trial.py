"""Describe plugins of others in other processes first: a crash or a hang in C code ends those, not ours.

Many share a process, since most of its time is its own start; where that does not come through, each has one alone, which
shows whose fault it was. What became of each is remembered by the plugin's files, so that it is tried once; a fault for ten
minutes only, since a busy or broken machine may have been its cause. Python code that hangs or leaves is held in our process
too (:mod:`trunkzoo.catalogue.guard`).
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
from trunkzoo.errors import ZooError, printable
from trunkzoo.system.places import cache_root

LOOK = 0.02  # seconds between looks at the processes
CAME_THROUGH = "through"  # what is remembered of those that did
AGAIN_AFTER = 600.0  # seconds until a plugin that did not come through is tried again
MOST = 100  # plugins of one process: their names must fit its command line
BEGUN, THROUGH = b".", b"!"  # what they say as each plugin begins, and in the end; an exit code can be anybody's


def fatal(claims: Sequence[Claim]) -> dict[Claim, str]:
    """Why describing a plugin would end or hang our process, for those that would; one line each."""
    marks = {claim: mark for claim in claims if normal(claim.distribution) != OURS and (mark := _mark(claim))}
    known = {claim: text for claim, mark in marks.items() if (text := _remembered(mark)) is not None}
    waiting = _shares([claim for claim in marks if claim not in known])
    running: list[Trial] = []
    found = {claim: fault for claim, fault in known.items() if fault}
    try:
        while waiting or running:
            while waiting and len(running) < _processors():
                running.append(Trial(waiting.pop(0)))
            time.sleep(LOOK)
            for trial in list(running):
                fault = trial.fault()
                if fault is None:
                    continue
                running.remove(trial)
                trial.end()
                if fault and len(trial.claims) > 1:
                    waiting += [[claim] for claim in trial.claims]
                    continue
                _remember([marks[claim] for claim in trial.claims], fault)
                if fault:
                    found[trial.claims[0]] = fault
    finally:
        for trial in running:
            trial.end()
    return found


def _processors() -> int:
    return os.cpu_count() or 1


def _shares(claims: Sequence[Claim]) -> list[Sequence[Claim]]:
    """The claims in groups, a process each: as many as there are processors, or more so that none is too large."""
    size = min(MOST, -(-len(claims) // _processors()) or 1)
    return [claims[i : i + size] for i in range(0, len(claims), size)]


class Trial:
    """A process that describes plugins, one after another."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        points = [claim.entry_point for claim in claims if claim.entry_point]
        self.claims, self._since, self._named = claims, 0.0, False
        self._said = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps([[point.name, point.value, point.group] for point in points])],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._pipe = self._process.stdout
        if self._pipe is not None:
            os.set_blocking(self._pipe.fileno(), False)

    def fault(self) -> str | None:
        """None while it runs, then what a plugin did to it; empty if all came through."""
        code, now = self._process.poll(), time.monotonic()
        if self._pipe is not None and (more := self._pipe.read(MOST + 1)):
            self._said, self._since = self._said + more, now
        if code is not None:
            through = self._said == BEGUN * len(self.claims) + THROUGH
            return "" if through else f"ended the process that tried to describe it ({_end(code)})"
        if not self._since:  # the interpreter's start is not the plugin's fault
            return None
        if now - self._since > (LEFT_AFTER if len(self.claims) == 1 else NAMED_AFTER):
            return f"did not return within {LEFT_AFTER:.0f} s"
        if now - self._since > NAMED_AFTER and not self._named:
            say_waiting(self.claims[0].title)
            self._named = True
        return None

    def end(self) -> None:
        """Kill the process, and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._pipe is not None:
            self._pipe.close()


def _end(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def _mark(claim: Claim) -> Path | None:
    """The file that says what became of this very code; None where nothing is to be tried, or can be remembered."""
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


def _remembered(mark: Path) -> str | None:
    """The fault of this code, empty if it came through; None if that is not known, or no longer."""
    try:
        said, age = mark.read_text(encoding="utf-8", errors="replace"), time.time() - mark.stat().st_mtime
    except OSError:
        return None
    if said == CAME_THROUGH:
        return ""
    if not said or not 0 <= age < AGAIN_AFTER:  # half written, or too long ago
        return None
    again = f"tried again ten minutes later, once its files change, or when {mark} is deleted"
    return f"{printable(said)} {age / 60:.0f} min ago; {again}"


def _remember(marks: Sequence[Path], fault: str) -> None:
    with suppress(OSError):  # where nothing can be written they are tried again
        for mark in marks:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(fault or CAME_THROUGH, encoding="utf-8")


def _describe(points: Sequence[tuple[str, str, str]]) -> None:
    """What the process does; it says how far it came."""
    leave, write = os._exit, os.write
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # one that interrupts itself would interrupt us
    for point in points:
        write(1, BEGUN)
        with suppress(BaseException), contained():
            load_records(metadata.EntryPoint(*point))
    write(1, THROUGH)
    leave(0)  # not waiting for threads


if __name__ == "__main__":
    _describe(json.loads(sys.argv[1]))
