"""Run a suite stage by stage, skipping what is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trunkzoo.errors import ZooError
from trunkzoo.suites.cells import Cell, hold_suite
from trunkzoo.suites.engine import Engine, Failure
from trunkzoo.suites.layout import LOG
from trunkzoo.suites.plan import SuitePlan, wanted_data
from trunkzoo.suites.remaining import Remaining
from trunkzoo.suites.table import duration
from trunkzoo.suites.work import progress_of
from trunkzoo.system.progress import Bars

HEADINGS = {
    "smoke": "Smoke test of {n} recipes: build, contract, one training step, save and load",
    "collect": "Collect demonstrations with the scripted expert",
    "train": "Train {n} agents with equal budgets",
    "evaluate": "Evaluate: checkpoints on selection seeds, the chosen ones on fresh seeds, floors, the expert, latency",
}

_PLAIN_SECONDS = 60.0  # between lines of progress outside a terminal


def run_suite(plan: SuitePlan, engine: Engine, say: Callable[[str], None] | None = None) -> None:
    """Run what is not done yet; what needs a cell that failed is left out.

    ``say`` gets one line per stage, and stderr shows the cells that run, those that die, and how long the whole suite
    still takes; without it nothing is shown.

    Raises:
        ZooError: cells failed twice; the others were finished first, but nothing is built on a failed smoke test. Or
            the directory is in use.
    """
    failures: list[Failure] = []
    with hold_suite(plan.directory):
        left, wanted = Remaining(plan), wanted_data(plan)
        for number, (stage, cells) in enumerate(plan.stages().items(), 1):
            todo = [cell for cell in cells if cell.done() is None]
            todo = [cell for cell in todo if cell.kind != "collect" or cell.key in wanted]
            if say:
                say(f"{number}/4 {_heading(plan, stage, cells, todo)}")
            failed = {failure.cell.key for failure in failures}
            ready = [cell for cell in todo if not cell.needs & failed]
            failures += _run_stage(ready, engine, left, quiet=say is None) if ready else []
            failures += [Failure(cell, "needs a cell that failed") for cell in todo if cell.needs & failed]
            if stage == "smoke":
                _report(failures)
    _report(failures)


def _heading(plan: SuitePlan, stage: str, cells: Sequence[Cell], todo: Sequence[Cell]) -> str:
    heading = HEADINGS[stage].format(n=len(cells))
    if not todo:
        return f"{heading} – done before"
    minutes = plan.config.minutes.get(stage)
    done = [f"{len(cells) - len(todo)} of {len(cells)} done before"] if len(todo) < len(cells) else []
    if minutes:
        return f"{heading} ({', '.join([f'about {minutes:g} min on two cores', *done])})"
    return " – ".join([heading, *done])


def _run_stage(cells: Sequence[Cell], engine: Engine, left: Remaining, quiet: bool) -> list[Failure]:
    with Bars(_PLAIN_SECONDS, quiet=quiet) as bars:
        bar_of = {cell.key: bars.add(f"    {cell.title}", visible=False) for cell in cells}
        whole = bars.add("    whole suite", left.total, left.done)
        ran: list[Cell] = []

        def show(running: Sequence[Cell]) -> None:
            for cell in lost(ran, running):
                bars.say(f"    {cell.title} ended without a result; its log: {cell.directory / LOG}")
            ran[:] = running
            if not bars.due:  # reading how far the cells are costs something
                return
            for bar in bar_of.values():
                bars.update(bar, bar.done, bar.note, visible=False)
            for cell in running:
                done, total, remark = progress_of(cell)
                bars.update(bar_of[cell.key], done, remark, total or None)
            seconds = left.seconds(running)
            bars.update(whole, left.done, "" if seconds is None else f"about {duration(seconds)} left")
            bars.say_if_due()

        failures = engine.run(cells, show)
        show(())
        return failures


def lost(ran: Sequence[Cell], running: Sequence[Cell]) -> list[Cell]:
    """Cells that ran and run no longer, and have no result."""
    still = {cell.key for cell in running}
    return [cell for cell in ran if cell.key not in still and cell.done() is None]


def _report(failures: Sequence[Failure]) -> None:
    if failures:
        lines = [f"{failure.cell.title} failed: {failure.reason}" for failure in failures]
        raise ZooError("\n".join([*lines, "the same command tries these cells again"]))
