"""What signals do to those who collect them."""

from __future__ import annotations

import signal

import pytest

from trunkzoo.system.signals import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_nobody_heeds_yet_reaches_who_began_the_program(number: signal.Signals) -> None:
    """Code of a plugin may swallow what is raised; the command then still knows that it was asked to leave."""
    noted: list[int] = []
    before = signal.signal(number, lambda number, _: noted.append(number))
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)), stop_requests():
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert noted == [number]
