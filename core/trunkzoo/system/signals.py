"""Handle SIGINT and SIGTERM: finish the step and save, or end at once where there is nothing to save."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ASKING = (signal.SIGINT, signal.SIGTERM)
_ECHO_SECONDS = 5.0  # supervisors, torchrun and SLURM among them, tell a process again what its whole group was told


class StopRequest:
    """The first signal that arrived, or None."""

    signal: int | None = None
    heeded: bool = False
    """True once somebody looks at ``signal`` between steps; before that a signal ends the process at once."""


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Collect the first SIGINT or SIGTERM; a second one acts as usual, for those who cannot wait.

    A SIGTERM within five seconds of the first signal is its echo and does nothing.

    One that comes before the request is heeded does what it did before, then raises KeyboardInterrupt, or SystemExit(143) for
    SIGTERM. Outside the main thread Python delivers no signals, and none are collected.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before, began = {number: signal.getsignal(number) for number in _ASKING}, [0.0]

    def second(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - began[0] > _ECHO_SECONDS:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    def remember(number: int, frame: FrameType | None) -> None:
        request.signal, began[0] = number, time.monotonic()
        signal.signal(signal.SIGINT, before[signal.SIGINT])
        signal.signal(signal.SIGTERM, second)
        if not request.heeded:
            asked_before = before[signal.Signals(number)]
            if callable(asked_before):  # who began the program notes it there, whatever becomes of the exception
                asked_before(number, frame)
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in _ASKING:
        signal.signal(number, remember)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
