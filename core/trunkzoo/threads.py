"""How many threads the numeric libraries of a process use; they read these variables when they are loaded."""

from __future__ import annotations

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


def thread_limits(count: int) -> dict[str, str]:
    """Environment variables that limit a process started with them to ``count`` threads."""
    return dict.fromkeys(_VARIABLES, str(count))
