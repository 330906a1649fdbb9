"""Handle SIGINT and SIGTERM: finish the step and save, or end at once where there is nothing to save."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ASKING = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """The first signal that arrived, or None."""

    signal: int | None = None
    heeded: bool = False
    """True once somebody looks at ``signal`` between steps; before that a signal ends the process at once."""


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Collect the first SIGINT or SIGTERM; a second one acts as usual, for those who cannot wait.

    One that comes before the request is heeded raises KeyboardInterrupt, or SystemExit(143) for SIGTERM. Outside the main
    thread Python delivers no signals, and none are collected.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in _ASKING}

    def remember(number: int, frame: FrameType | None) -> None:
        request.signal = number
        for each, handler in before.items():
            signal.signal(each, handler)
        if not request.heeded:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in _ASKING:
        signal.signal(number, remember)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
