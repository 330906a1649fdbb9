"""Set-up of worker processes: thread limits of numeric libraries, an end with the parent, output to a file."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import wait
from pathlib import Path

# the numeric libraries read these when they are loaded
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


def thread_limits(count: int) -> dict[str, str]:
    """Environment variables that limit a process started with them to ``count`` threads."""
    return dict.fromkeys(_VARIABLES, str(count))


def leave_with_parent() -> None:
    """End this process when its parent is gone, even if the episode hangs; an idle worker sees the pipe end too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def redirect_output(log: Path) -> None:
    """Send file descriptors 1 and 2 to a file: C libraries print too, and stdout may be somebody's JSON."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
