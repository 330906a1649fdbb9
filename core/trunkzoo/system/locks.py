"""Locks on files, which the kernel releases when their holder ends, even by kill -9."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from trunkzoo.errors import ZooError


def take(file: IO[Any] | int, *, shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file until it is closed, also by the process's end; False if others hold it and we do not wait.

    Those who share a lock hold it together; without ``shared`` one holds it alone.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def acquire(path: Path, busy: Callable[[str], ZooError] | None = None) -> IO[str]:
    """The lock file ``path``, made if absent, with our process id in it and locked until it is closed.

    If another process holds it, ``busy`` gets its process id and makes the error to raise; None waits instead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a+", encoding="utf-8", opener=_no_link)  # noqa: SIM115 - the caller closes it
    try:
        if not take(file, wait=busy is None) and busy is not None:
            raise busy(_owner(file))
        file.truncate(0)
        os.write(file.fileno(), str(os.getpid()).encode())  # past the buffer, which would try again when closed
    except BaseException:
        file.close()
        raise
    return file


def is_held(path: Path) -> bool:
    """Whether a process holds the lock file ``path`` now."""
    try:
        file = open(path, encoding="utf-8", opener=_no_link)  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return False
    with file:
        return not take(file, shared=True)


def _no_link(path: str, flags: int) -> int:
    """Open without following a link, which in a directory of several people may lead to anybody's file."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _owner(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"
