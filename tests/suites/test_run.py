"""Suites at work: engines, cells that die or are killed, and runs that are continued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from reach_task import REGISTRY, floor, install, orphans_of, small
from scored import Scorer
from trunkzoo.errors import UsageError, ZooError
from trunkzoo.rollouts import REPORT_SEEDS, read_rows
from trunkzoo.suites.cells import Cell, hold_suite, read_cell
from trunkzoo.suites.engine import Failure, LocalEngine, Tick
from trunkzoo.suites.plan import every_cell
from trunkzoo.suites.process import CellProcess
from trunkzoo.suites.results import read_results
from trunkzoo.suites.run import run_suite
from trunkzoo.suites.status import status_of


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin ``reach`` for this process and for the processes of cells."""
    install(monkeypatch)


def test_a_cell_is_read_back_as_it_was(tmp_path: Path) -> None:
    cell = floor(tmp_path)
    for each in (cell, replace(cell, slots=2, compile=True)):
        each.prepare()
        assert read_cell(each.directory) == each


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    cell = floor(tmp_path)
    cell.prepare()
    (cell.directory / "done.json").write_text("")
    with pytest.raises(ZooError, match=r"done.json is damaged; remove it"):
        cell.done()


def test_cells_run_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    cells = [floor(tmp_path, policy) for policy in ("noop", "expert")]
    assert LocalEngine(2).run(cells, lambda _: None) == []
    assert [len(read_rows(cell.directory / f"report-{cell.label}.jsonl")) for cell in cells] == [2, 2]
    before = [cell.directory.joinpath("done.json").stat().st_mtime_ns for cell in cells]
    assert LocalEngine(2).run(cells, lambda _: None) == []
    assert [cell.directory.joinpath("done.json").stat().st_mtime_ns for cell in cells] == before


def test_a_cell_that_always_dies_is_reported_and_the_others_finish(tmp_path: Path) -> None:
    bad, good = floor(tmp_path, "noop", fault="raise", fault_seed=1), floor(tmp_path, "random")
    failures = LocalEngine(1).run([bad, good], lambda _: None)
    assert [failure.cell for failure in failures] == [bad]
    assert "the simulation exploded" in failures[0].reason
    assert good.done() is not None
    assert (bad.directory / "log.txt").read_text().count("failed 3 times") == 2  # tried twice


def test_a_cell_that_died_for_good_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours before the suite ends. The first attempt is not news: it is tried again."""
    fault = f'fault = "raise", fault_seed = {REPORT_SEEDS.start}'
    plan = small(tmp_path, text=REGISTRY.replace('"reach/reach", ', f'"faulty/reach", config = {{ {fault} }}, '))
    Scorer({"reach": 0.5}).run(every_cell(plan), lambda _: None)
    bad = next(cell for cell in every_cell(plan) if cell.title.startswith("floor noop"))
    (bad.directory / "done.json").unlink()
    (bad.directory / "report-noop.jsonl").unlink()
    said: list[str] = []
    monkeypatch.setattr("trunkzoo.system.progress.Bars.say", lambda bars, text: said.append(text))
    with pytest.raises(ZooError, match="floor noop-reach failed: exit code"):
        run_suite(plan, LocalEngine(1), said.append)
    assert said[-1] == f"    {bad.title} ended without a result; its log: {bad.directory / 'log.txt'}"
    assert len([line for line in said if "ended without" in line]) == 1


def test_no_more_cells_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    seen: list[int] = []
    cells = [floor(tmp_path, "random", episodes) for episodes in (1, 2, 3)]
    LocalEngine(2).run(cells, lambda running: seen.append(len(running)))
    assert max(seen) == 2


class Recorder:
    """An engine that finishes cells at once, but for those whose title starts with ``fails``."""

    def __init__(self, fails: str) -> None:
        self.ran: list[str] = []
        self._fails = fails

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        self.ran += [cell.title for cell in cells]
        failed = [cell for cell in cells if cell.title.startswith(self._fails)]
        return [Failure(cell, "it broke") for cell in failed]


def test_what_does_not_need_a_failed_training_is_finished(tmp_path: Path) -> None:
    engine = Recorder("train reach-wide")
    with pytest.raises(ZooError) as caught:
        run_suite(small(tmp_path), engine, lambda _: None)
    assert "train reach-wide-reach-seed0 failed: it broke" in str(caught.value)
    assert "evaluate reach-wide-reach-seed0 failed: needs a cell that failed" in str(caught.value)
    assert "evaluate reach-resnet-reach-seed0" in engine.ran
    assert "evaluate reach-wide-reach-seed0" not in engine.ran
    assert "floor expert-reach" in engine.ran


def test_nothing_is_built_on_a_failed_smoke_test(tmp_path: Path) -> None:
    engine = Recorder("smoke reach-wide")
    with pytest.raises(ZooError, match="smoke reach-wide failed: it broke"):
        run_suite(small(tmp_path), engine, lambda _: None)
    assert {title.split()[0] for title in engine.ran} == {"smoke"}


def test_status_knows_which_cells_are_worked_on(tmp_path: Path) -> None:
    plan = small(tmp_path, text=REGISTRY.replace('"reach/reach", ', '"faulty/reach", config = { fault = "hang" }, '))
    process = CellProcess(plan.tasks[0].collects[0])
    states = {row["cell"]: row["state"] for row in status_of(plan)}
    process.ask_to_leave()
    process.wait(60)
    assert states.pop("collect reach-2") == "running"
    assert set(states.values()) == {"to do"}
    assert {row["state"] for row in status_of(plan)} == {"unfinished", "to do"}


def test_a_cell_waits_for_the_process_of_an_earlier_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = floor(tmp_path, fault="hang", fault_seed=0)
    earlier = CellProcess(cell)
    monkeypatch.setattr("trunkzoo.suites.process.LEAVE_SECONDS", 0.5)
    with pytest.raises(ZooError, match="a process of an earlier run still works on 'floor noop'"):
        CellProcess(cell)
    earlier.ask_to_leave()
    earlier.wait(60)


def test_two_runs_cannot_share_a_directory(tmp_path: Path) -> None:
    with hold_suite(tmp_path), pytest.raises(ZooError, match="another `zoo suite run`"), hold_suite(tmp_path):
        pass


def test_processes_of_a_killed_run_leave_and_the_next_run_continues(tmp_path: Path) -> None:
    cell = floor(tmp_path, fault="hang", fault_seed=1, once=str(tmp_path / "hung"))
    cell.prepare()
    code = (
        "import sys; from pathlib import Path; from trunkzoo.suites.cells import read_cell; "
        "from trunkzoo.suites.engine import LocalEngine; "
        "LocalEngine(1).run([read_cell(Path(sys.argv[1]))], lambda _: None)"
    )
    children = orphans_of(code, cell.directory, tmp_path / "hung")
    assert len(children) >= 2  # the cell and its worker
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert len(read_rows(cell.directory / "report-noop.jsonl")) == 1
    assert LocalEngine(1).run([cell], lambda _: None) == []
    assert [row["seed"] for row in read_rows(cell.directory / "report-noop.jsonl")] == [0, 1]


@pytest.mark.slow
def test_a_whole_suite_killed_in_training_and_continued(tmp_path: Path) -> None:
    """The engine is interrupted when a training has begun; what is continued equals what was never interrupted."""
    plan = small(tmp_path)
    first = plan.tasks[0].arms[0].trains[0]
    lines: list[str] = []

    class Interrupted(LocalEngine):
        def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
            def watch(running: Sequence[Cell]) -> None:
                if (first.directory / "run" / "run.json").exists():
                    raise KeyboardInterrupt

            return super().run(cells, watch)

    with pytest.raises(KeyboardInterrupt):
        run_suite(plan, Interrupted(2), lines.append)
    run_suite(plan, LocalEngine(2), lines.append)
    assert [line.partition(" ")[0] for line in lines] == ["1/4", "2/4", "3/4", "1/4", "2/4", "3/4", "4/4"]
    assert lines[3].endswith("done before")
    assert {row["state"] for row in status_of(plan)} == {"done"}
    result = read_results(plan)[0]
    assert all(len(arm.rows[0]) == 6 for arm in result.arms)
    assert [sorted(arm.curves[0]) for arm in result.arms] == [[2, 4], [2, 4]]
    assert result.floors["expert"][0]["success"] is True


def _is_ray(place: Any) -> bool:
    """Is it a port that Ray's head listens on?"""
    names = ("gcs_server", "raylet")
    return place.status == "LISTEN" and place.pid is not None and psutil.Process(place.pid).name() in names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_runs_cells_and_reports_the_one_that_dies(tmp_path: Path) -> None:
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    from trunkzoo.suites.ray_engine import RayEngine

    bad, good = floor(tmp_path, "noop", fault="exit", fault_seed=1), floor(tmp_path, "random")
    seen: list[int] = []
    try:
        failures = RayEngine(slots=1).run([bad, good], lambda running: seen.append(len(running)))
        with pytest.raises(UsageError, match=r"no node of the Ray cluster has 1 CPUs and 99 GPUs for 'train reach"):
            RayEngine(gpus_per_training=99).run(small(tmp_path).tasks[0].arms[0].trains, lambda _: None)
        opened = {place.laddr.ip for place in psutil.net_connections("tcp") if _is_ray(place)}
    finally:
        import ray  # as late as the engine does: what it listens on is decided when it is imported

        ray.shutdown()
    assert {address.removeprefix("::ffff:") for address in opened} == {"127.0.0.1"}
    assert [failure.cell for failure in failures] == [bad]
    assert "failed 3 times" in failures[0].reason
    assert good.done() is not None
    assert max(seen) == 1
