"""The time that a suite still takes is known from what was measured, and not said before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, small
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.engine import Failure, LocalEngine, Tick
from trunkzoo.suites.layout import DONE, RUN
from trunkzoo.suites.plan import SuitePlan
from trunkzoo.suites.remaining import Remaining
from trunkzoo.suites.run import run_suite

SECONDS = {"smoke": 2.0, "collect": 30.0, "train": 100.0, "evaluate": 40.0, "floor": 8.0, "latency": 4.0}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SuitePlan:
    """Two arms on one task, one training seed."""
    install(monkeypatch)
    return small(tmp_path)


def finish(cell: Cell, seconds: float) -> None:
    cell.prepare()
    write_json(cell.directory / DONE, {"seconds": seconds})


def train_to(cell: Cell, step: int) -> None:
    run = cell.directory / RUN
    run.mkdir(parents=True, exist_ok=True)
    (run / "metrics.jsonl").write_text(json.dumps({"step": step, "loss": 0.1}) + "\n")


def test_nothing_is_said_before_something_was_measured(plan: SuitePlan) -> None:
    first = plan.stages()["smoke"][0]
    assert Remaining(plan).seconds([first], now=0.0) is None


def test_finished_cells_tell_what_the_others_take(plan: SuitePlan) -> None:
    stages = plan.stages()
    cells = [cell for of_stage in stages.values() for cell in of_stage]
    kinds: dict[str, list[Cell]] = {kind: [cell for cell in cells if cell.kind == kind] for kind in SECONDS}
    for kind, of_kind in kinds.items():
        finish(of_kind[0], SECONDS[kind])
    left = Remaining(plan)
    assert (left.done, left.total) == (len(kinds), len(cells))
    others = [cell for of_kind in kinds.values() for cell in of_kind[1:]]
    assert left.seconds([others[0]], now=0.0) == pytest.approx(sum(SECONDS[cell.kind] for cell in others))


def test_a_running_cell_is_judged_by_its_own_speed(plan: SuitePlan) -> None:
    *before, (train, other), evaluations = plan.stages().values()
    for cell in [*(cell for cells in before for cell in cells), *evaluations]:
        finish(cell, 1.0)
    finish(other, 100.0)
    left, steps = Remaining(plan), int(train.inputs["recipe"]["train"]["steps"])
    assert left.seconds([train], now=0.0) == 100.0  # as the other training took
    assert left.seconds([train], now=60.0) == 40.0
    train_to(train, 1)
    assert left.seconds([train], now=70.0) == pytest.approx(70.0 * (steps - 1))
    finish(train, 140.0)
    assert left.seconds([], now=140.0) is None
    assert left.done == left.total


def test_a_suite_in_a_pipe_says_how_long_it_still_takes(
    plan: SuitePlan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trunkzoo.suites.run._PLAIN_SECONDS", 0.0)
    floors = [cell for cell in plan.stages()["evaluate"] if cell.kind == "floor"]
    for cell in (cell for cells in plan.stages().values() for cell in cells):
        if cell not in floors[1:]:
            finish(cell, 90.0)

    class Watched:
        """The local engine, with one look before any cell starts."""

        def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
            tick(cells[:1])
            return LocalEngine(2).run(cells, tick)

    run_suite(plan, Watched(), lambda _: None)
    total = len([cell for cells in plan.stages().values() for cell in cells])
    first = capsys.readouterr().err.splitlines()[0].split("; ")
    assert first[-1] == f"    whole suite {total - 2}/{total} about 3 min 00 s left"


def test_quiet_shows_no_cell(plan: SuitePlan, capsys: pytest.CaptureFixture[str]) -> None:
    for cell in (cell for cells in plan.stages().values() for cell in cells):
        if cell.kind != "floor":
            finish(cell, 90.0)
    run_suite(plan, LocalEngine(2))
    assert capsys.readouterr() == ("", "")


def test_the_suite_itself_may_say_how_long_a_stage_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    minutes = "minutes = { smoke = 1, collect = 2, train = 3, evaluate = 4 }"
    plan = small(tmp_path, text=REGISTRY.replace("[suites.small]\n", f"[suites.small]\n{minutes}\n"))
    assert Remaining(plan).seconds([plan.stages()["smoke"][0]], now=0.0) == pytest.approx(120.0 * (1 + 2 + 3 + 4))
