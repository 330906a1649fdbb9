"""Run a suite stage by stage, skipping what is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trunkzoo.errors import ZooError
from trunkzoo.suites.cells import Cell, only_one
from trunkzoo.suites.engine import Engine
from trunkzoo.suites.planning import SuitePlan
from trunkzoo.suites.progress import CellBars

HEADINGS = {
    "smoke": "Smoke test of {n} recipes: build, contract, one training step, save and load",
    "collect": "Collect demonstrations with the scripted expert",
    "train": "Train {n} agents with equal budgets",
    "evaluate": "Evaluate: checkpoints on selection seeds, the chosen ones on fresh seeds, floors and the expert",
}


def run_suite(plan: SuitePlan, engine: Engine, say: Callable[[str], None]) -> None:
    """Run what is not done yet; ``say`` gets one line per stage.

    Raises:
        ZooError: cells failed twice; the others were finished first. Or the directory is in use.
    """
    with only_one(plan.directory):
        for number, (stage, cells) in enumerate(plan.stages().items(), 1):
            todo = [cell for cell in cells if cell.done() is None]
            say(f"{number}/4 {_heading(plan, stage, cells, todo)}")
            if todo:
                _run_stage(stage, todo, engine)


def _heading(plan: SuitePlan, stage: str, cells: Sequence[Cell], todo: Sequence[Cell]) -> str:
    heading = HEADINGS[stage].format(n=len(cells))
    if not todo:
        return f"{heading} – done before"
    minutes = plan.config.minutes.get(stage)
    done = f", {len(cells) - len(todo)} of {len(cells)} done before" if len(todo) < len(cells) else ""
    return heading + (f" (about {minutes:g} min on two cores{done})" if minutes else done.replace(",", " –", 1))


def _run_stage(stage: str, todo: Sequence[Cell], engine: Engine) -> None:
    with CellBars(todo) as bars:
        failures = engine.run(todo, bars.update)
    if failures:
        lines = [f"{failure.cell.title} failed: {failure.reason}" for failure in failures]
        raise ZooError("\n".join([*lines, f"stage {stage} is incomplete; the same command tries these cells again"]))
