"""How long a suite still takes: by the time that its finished cells took, and the speed of those that run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from trunkzoo.suites.cells import Cell
from trunkzoo.suites.plan import SuitePlan
from trunkzoo.suites.work import progress_of


class Remaining:
    """Watches the cells of a suite. ``done`` of ``total`` cells have a result."""

    def __init__(self, plan: SuitePlan) -> None:
        stages = plan.stages()
        self._open = {cell.key: cell for cells in stages.values() for cell in cells}
        self._guess = _core_seconds(stages, plan.config.minutes)
        self._took: dict[str, list[float]] = defaultdict(list)
        self._begun: dict[str, tuple[float, int]] = {}
        self.total, self.done = len(self._open), 0
        self._close(list(self._open.values()))

    def seconds(self, running: Sequence[Cell], now: float | None = None) -> float | None:
        """Seconds to the end if as many cores work on as now; None while too little is known to say."""
        now = time.monotonic() if now is None else now
        alive = {cell.key for cell in running}
        self._close([self._open[key] for key in self._begun if key in self._open and key not in alive])
        work = [self._left(cell, now) if cell.key in alive else self._expected(cell) for cell in self._open.values()]
        known = [seconds for seconds in work if seconds is not None]
        if not running or len(known) < len(work):
            return None
        cores = sum(cell.slots for cell in running)
        return sum(seconds * cell.slots for seconds, cell in zip(known, self._open.values(), strict=True)) / cores

    def _close(self, cells: Sequence[Cell]) -> None:
        """Strike those out that have a result."""
        for cell in cells:
            result = cell.done()
            if result is not None:
                del self._open[cell.key]
                self.done += 1
                for name in (cell.kind, _series(cell)):
                    self._took[name].append(float(result.get("seconds", 0.0)))

    def _expected(self, cell: Cell) -> float | None:
        """Seconds of a whole cell: as others of its series took, else of its kind, else as the suite says."""
        seen = self._took.get(_series(cell)) or self._took.get(cell.kind)
        return fmean(seen) if seen else self._guess.get(cell.key)

    def _left(self, cell: Cell, now: float) -> float | None:
        """Seconds that a running cell still needs, by its own speed as soon as it has one."""
        done, total, _ = progress_of(cell)
        then, before = self._begun.setdefault(cell.key, (now, done))
        if total and done > before:
            return (total - done) * (now - then) / (done - before)
        expected = self._expected(cell)
        return None if expected is None else max(0.0, expected - (now - then))


def _series(cell: Cell) -> str:
    """What the cells of one arm on one task share: all but the training seed."""
    return f"{cell.kind} {cell.label.rpartition('-seed')[0] or cell.label}"


def _core_seconds(stages: Mapping[str, Sequence[Cell]], minutes: Mapping[str, float]) -> dict[str, float]:
    """By key what registry.toml says that a stage takes on two cores, shared out among its cells."""
    return {
        cell.key: 120.0 * minutes[stage] / sum(other.slots for other in cells)
        for stage, cells in stages.items()
        if stage in minutes
        for cell in cells
    }
