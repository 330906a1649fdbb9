"""Code of plugins may raise anything, print anywhere, leave or never return; what becomes of that is decided here."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from trunkzoo.errors import PluginError, ZooError, one_line, printable

KEPT_FROM = 200  # copies of standard streams have higher numbers, which those who close everything below spare
NAMED_AFTER, LEFT_AFTER = 3.0, 30.0
"""Seconds until people hear which plugin is waited for, and until the zoo goes on without it."""


def strict() -> bool:
    """Whether ``TRUNKZOO_STRICT=1`` asks for a plugin's own exceptions and tracebacks."""
    return os.environ.get("TRUNKZOO_STRICT", "") not in ("", "0")


@contextlib.contextmanager
def plugin_code(what: str) -> Iterator[None]:
    """A block that runs a plugin's code. What it prints goes to stderr, because stdout may be JSON.

    Raises:
        PluginError: it raised something that is not our own error; one line about ``what``.
    """
    try:
        with contained():
            yield
    except ZooError:
        raise
    except (Exception, SystemExit) as error:
        if strict():
            raise
        raise PluginError(f"{what} failed: {one_line(error)} (TRUNKZOO_STRICT=1 shows where)") from error


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Give a plugin's code stderr for stdout, by name and by number, and undo what it does to the interpreter.

    Raises:
        SystemExit: it called ``os._exit``, or raised KeyboardInterrupt though nobody pressed a key.
    """
    limit, stderr, hook = sys.getrecursionlimit(), sys.stderr, sys.excepthook
    places, found = sys.path, list(sys.path)
    with _interrupts_noted() as asked, _same_folder(), _stdout_aside(), _no_sudden_exit():
        try:
            yield
        except KeyboardInterrupt as error:
            if asked:
                raise
            raise SystemExit("KeyboardInterrupt") from error
        finally:
            sys.setrecursionlimit(limit)
            sys.stderr, sys.excepthook = stderr, hook
            sys.path, added = places, [place for place in sys.path if place not in found]
            sys.path[:] = [*added, *found]  # others are found where they were


@contextlib.contextmanager
def _same_folder() -> Iterator[None]:
    """Come back to the working directory: people's relative paths begin there."""
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY) if os.access(".", os.R_OK) else None
    try:
        yield
    finally:
        if here is not None:
            with contextlib.suppress(OSError):
                os.fchdir(here)
                os.close(here)


@contextlib.contextmanager
def _stdout_aside() -> Iterator[None]:
    """Lead stdout to stderr; closing standard streams closes nothing of ours."""
    ours, kept = sys.stdout, dict[int, int]()
    _flush(ours)
    with contextlib.suppress(OSError):  # a program without these descriptors: nobody reads them
        for number in range(3):
            kept[number] = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, KEPT_FROM)
        os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(_Aside()):
            yield
    finally:
        for stream in (ours, sys.__stdout__):
            _flush(stream)
        for number, copy in kept.items():
            with contextlib.suppress(OSError):  # closed like everything: then it is gone
                os.dup2(copy, number)
                os.close(copy)


class _Aside(io.TextIOBase):
    """Writes to whatever stderr is, and cannot be closed."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        _flush(sys.stderr)

    def close(self) -> None:
        self.flush()


def _flush(stream: object) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.flush()  # type: ignore[attr-defined]  # object by its static type


@contextlib.contextmanager
def _no_sudden_exit() -> Iterator[None]:
    """``os._exit`` raises SystemExit, but not in a process that the plugin forks."""
    ours, real = os.getpid(), os._exit

    def leave(status: int) -> NoReturn:
        if os.getpid() != ours:
            real(status)
        raise SystemExit(status)

    os._exit = leave
    try:
        yield
    finally:
        os._exit = real


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[list[int]]:
    """Yield a list that is not empty once Ctrl-C was pressed; elsewhere than in the main thread it says so always."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield [signal.SIGINT]
        return
    if not callable(before):  # ignored, as in what a shell starts in the background: then a key raises nothing
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


class NeverReturned(BaseException):
    """Raised in a plugin that took too long; no ``except Exception`` of its own catches it."""


@contextlib.contextmanager
def watched(plugin: str) -> Iterator[None]:
    """Name ``plugin`` on stderr when its describing takes long, and end it when it takes too long.

    Only the main thread can be ended, and not inside a C function that never looks for signals, which is why plugins are
    tried in another process first.

    Raises:
        NeverReturned: half a minute went by.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    done, main = threading.Event(), threading.main_thread().ident or 0
    before = signal.signal(signal.SIGALRM, _end)

    def watch() -> None:
        if done.wait(NAMED_AFTER):
            return
        say_waiting(plugin)
        wait = LEFT_AFTER - NAMED_AFTER
        while not done.wait(wait):  # again, for one that catches everything
            signal.pthread_kill(main, signal.SIGALRM)
            wait = 1.0

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
        signal.signal(signal.SIGALRM, before)


def say_waiting(plugin: str) -> None:
    """Name on stderr the plugin that everybody waits for."""
    print(
        f"note: waiting for plugin {printable(plugin)}; without it: TRUNKZOO_PLUGINS=NAME,NAME with the others",
        file=sys.stderr,
        flush=True,
    )


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise NeverReturned(f"did not return within {LEFT_AFTER:.0f} s")
