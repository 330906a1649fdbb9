"""Engines run independent cells. The local one starts a process per cell, as many at once as there are slots."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trunkzoo.suites.cells import Cell
from trunkzoo.suites.process import CellProcess, stop_all

ATTEMPTS = 2
POLL_SECONDS = 0.5
Tick = Callable[[Sequence[Cell]], None]


@dataclass(frozen=True)
class Failure:
    """A cell that died in every attempt."""

    cell: Cell
    reason: str


class Engine(Protocol):
    """Runs cells that do not depend on each other."""

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """Run all cells; ``tick(running)`` is called now and then. A cell that dies is tried once more."""
        ...


class Attempts:
    """Counts attempts per cell and collects those that failed for good."""

    def __init__(self) -> None:
        self._made: Counter[str] = Counter()
        self.failures: list[Failure] = []

    def again(self, cell: Cell, reason: str, wanted: bool = True) -> bool:
        """Note an attempt that ended; True if the cell has no result and may be tried once more, which must be ``wanted``."""
        self._made[cell.key] += 1
        if cell.done() is not None:
            return False
        if wanted and self._made[cell.key] < ATTEMPTS:
            return True
        self.failures.append(Failure(cell, reason))
        return False


def has_room(cell: Cell, running: Sequence[Cell], slots: float) -> bool:
    """Whether a cell may start beside those that run; one cell may exceed the slots when it is alone."""
    return not running or sum(other.slots for other in running) + cell.slots <= slots


class LocalEngine:
    """Processes on this machine."""

    def __init__(self, slots: int) -> None:
        self._slots = slots

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """See :class:`Engine`. On any exception the processes are asked to save and leave."""
        waiting, running, attempts = list(cells), list[CellProcess](), Attempts()
        try:
            while waiting or running:
                self._fill(waiting, running)
                tick([process.cell for process in running])
                time.sleep(POLL_SECONDS)
                for process in [process for process in running if process.ended]:
                    running.remove(process)
                    process.wait()
                    if attempts.again(process.cell, process.last_words()):
                        waiting.insert(0, process.cell)
        finally:
            stop_all(running)
        return attempts.failures

    def _fill(self, waiting: list[Cell], running: list[CellProcess]) -> None:
        """Start cells in their order while slots are free."""
        while waiting and has_room(waiting[0], [process.cell for process in running], self._slots):
            running.append(CellProcess(waiting.pop(0)))
