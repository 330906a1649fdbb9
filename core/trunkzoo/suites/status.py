"""Progress of a suite: the state of each of its cells."""

from __future__ import annotations

from collections.abc import Collection

from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import LOG
from trunkzoo.suites.plan import SuitePlan, every_cell, wanted_data
from trunkzoo.suites.process import is_running
from trunkzoo.suites.slurm_queue import RUNNING, jobs_of
from trunkzoo.suites.table import duration
from trunkzoo.suites.work import progress_of


def status_of(plan: SuitePlan, published: Collection[str] = ()) -> list[dict[str, str]]:
    """One row per cell: what, state, progress, time, job of SLURM if it is in the queue, directory.

    ``published`` are keys of cells that another machine published, which a run could take as done.

    Raises:
        ZooError: the suite has jobs, and SLURM does not answer.
    """
    cells, wanted = every_cell(plan), wanted_data(plan, published)
    jobs = jobs_of(plan.directory, [cell for cell in cells if cell.done() is None])
    rows = [_row(cell, *jobs.get(cell.key, ("", ""))) for cell in cells]
    for cell, row in zip(cells, rows, strict=True):
        if row["state"] == "to do" and cell.key in published:
            row["state"] = "published"
        if row["state"] == "to do" and cell.kind == "collect" and cell.key not in wanted:
            row["state"] = "not needed"
    return rows


def _row(cell: Cell, job: str, of_job: str) -> dict[str, str]:
    done = cell.done()
    count, total, _ = progress_of(cell)
    started = (cell.directory / LOG).exists()
    return {
        "cell": cell.title,
        "state": "done" if done else _state(cell, of_job, started),
        "progress": f"{count}/{total}" if total and started else "",
        "time": duration(done["seconds"]) if done else "",
        "job": job,
        "directory": str(cell.directory),
    }


def _state(cell: Cell, of_job: str, started: bool) -> str:
    """Of a cell that is not finished; a job's word counts, since another machine's processes are not seen here."""
    if of_job:
        return "running" if of_job == RUNNING else "queued"
    return "running" if is_running(cell) else "unfinished" if started else "to do"
