"""Set-up of worker processes: thread limits of numeric libraries, an end with the parent, output to a file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from types import ModuleType

# the numeric libraries read these when they are loaded
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


def thread_limits(count: int) -> dict[str, str]:
    """Environment variables that limit a process started with them to ``count`` threads."""
    return dict.fromkeys(_VARIABLES, str(count))


def begin_worker(log: Path | None = None) -> None:
    """Set this worker process up, before numpy and torch are loaded: one thread, no Ctrl-C, an end with its parent.

    What it prints goes to ``log``, without one to stderr: C libraries print too, and stdout may be somebody's JSON.
    """
    os.environ.update(thread_limits(1))
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what a Ctrl-C means
    if log is None:
        os.dup2(2, 1)
    else:
        _redirect_output(log)


@contextmanager
def worker_start() -> Iterator[None]:
    """Start worker processes in this block: they hear no Ctrl-C, and import nothing of the script that starts them.

    A Ctrl-C reaches the whole group, and workers that are not ready yet would show tracebacks: they inherit that SIGINT
    is blocked, for good. The parent gets one that arrives meanwhile when the block ends.
    """
    resource_tracker.ensure_running()  # or the first start would start it, and unblock SIGINT after that
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # a spawned process runs its parent's script, if it has a file
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_with_parent() -> None:
    """End this process when its parent is gone, even if its work hangs; an idle worker sees its pipe end too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)  # an exit might be caught as a plugin's


def _redirect_output(log: Path) -> None:
    """Send file descriptors 1 and 2 to a file."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
