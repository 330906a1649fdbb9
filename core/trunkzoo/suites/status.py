"""Progress of a suite: the state of each of its cells."""

from __future__ import annotations

from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import LOG
from trunkzoo.suites.plan import SuitePlan, every_cell
from trunkzoo.suites.process import is_running
from trunkzoo.suites.table import duration
from trunkzoo.suites.work import progress_of


def status_of(plan: SuitePlan) -> list[dict[str, str]]:
    """One row per cell: what, state, progress, time, directory."""
    return [_row(cell) for cell in every_cell(plan)]


def _row(cell: Cell) -> dict[str, str]:
    done = cell.done()
    count, total, _ = progress_of(cell)
    started = (cell.directory / LOG).exists()
    return {
        "cell": cell.title,
        "state": "done" if done else "running" if is_running(cell) else "unfinished" if started else "to do",
        "progress": f"{count}/{total}" if total and started else "",
        "time": duration(done["seconds"]) if done else "",
        "directory": str(cell.directory),
    }
