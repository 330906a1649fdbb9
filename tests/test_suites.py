"""Suites: equal budgets, cells named by what decides them, nothing lost and nothing run twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from reach_task import REGISTRY, install
from trunkzoo.catalogue import Catalogue, load_catalogue
from trunkzoo.config import parse
from trunkzoo.errors import ConfigError, UsageError, ZooError
from trunkzoo.evaluation import read_rows
from trunkzoo.registry import Registry, load_registry
from trunkzoo.seeds import REPORT_SEEDS, SELECTION_SEEDS
from trunkzoo.suites.cells import Cell, only_one, read_cell
from trunkzoo.suites.config import SuiteConfig
from trunkzoo.suites.engine import LocalEngine
from trunkzoo.suites.planning import SuitePlan, every_cell, plan_suite, seeds_of
from trunkzoo.suites.results import read_results
from trunkzoo.suites.run import run_suite
from trunkzoo.suites.status import status_of
from trunkzoo.suites.table import COLUMNS, notes, table

TABLE: dict[str, Any] = {
    "arms": ["a"],
    "tasks": [{"name": "reach/reach", "demonstrations": 2}],
    "steps": 4,
    "batch_size": 4,
    "checkpoints": 2,
}


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin ``reach`` for this process and for the processes of cells."""
    install(monkeypatch)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    file = tmp_path / "registry.toml"
    file.write_text(REGISTRY)
    return load_registry(file)


@pytest.fixture
def catalogue(reach_plugin: None) -> Catalogue:
    return load_catalogue()


def small(registry: Registry, catalogue: Catalogue, directory: Path, *only: str) -> SuitePlan:
    return plan_suite("small", registry, catalogue, directory, only)


def floor(home: Path, policy: str = "noop", episodes: int = 2, **config: object) -> Cell:
    task = {"name": "reach/reach", "config": config}
    return Cell("floor", policy, {"policy": policy, "task": task, "report": [0, episodes]}, home)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ["a", "a"]}, "arms a appear twice"),
        ({"checkpoints": 3}, "do not divide into 3 checkpoints evenly"),
        ({"arms": [{"recipe": "a", "set": {"train.steps": 9}}]}, "cannot have a budget of its own"),
        ({"tasks": [{"name": "t", "demonstrations": 2, "first_seed": SELECTION_SEEDS[0]}]}, "first_seed"),
        ({"steps": None}, "steps"),
    ],
)
def test_a_suite_that_could_not_be_fair_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(SuiteConfig, TABLE | change, "suites.x")


def test_an_unknown_suite_is_wrong_use(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown suite 'smal'.*small"):
        plan_suite("smal", registry, catalogue, tmp_path)


def test_only_without_a_match_names_the_arms(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this suite has reach-resnet, reach-wide"):
        small(registry, catalogue, tmp_path, "nothing*")


def test_every_arm_has_the_budget_of_the_suite(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    arms = small(registry, catalogue, tmp_path).tasks[0].arms
    budgets = {(a.recipe.train.steps, a.recipe.train.batch_size, a.recipe.train.checkpoint_every) for a in arms}
    assert budgets == {(4, 4, 2)}
    assert [arm.recipe.trunk.config["width"] for arm in arms] == [16, 32]


def test_selection_and_report_episodes_are_disjoint(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    inputs = small(registry, catalogue, tmp_path).tasks[0].arms[0].evaluations[0].inputs
    assert set(seeds_of(inputs["selection"])) <= set(SELECTION_SEEDS[:100])
    assert set(seeds_of(inputs["report"])) <= set(REPORT_SEEDS[:100])


def test_a_cell_is_named_by_what_decides_it(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    def keys(text: str) -> dict[str, str]:
        file = tmp_path / "other.toml"
        file.write_text(text)
        plan = small(load_registry(file), catalogue, tmp_path)
        return {cell.title: cell.key for cell in every_cell(plan)}

    base = keys(REGISTRY)
    words = keys(REGISTRY.replace("[recipes.reach-resnet]", '[recipes.reach-resnet]\nsummary = "words"'))
    episodes = keys(REGISTRY.replace("report_episodes = 6", "report_episodes = 7"))
    rate = keys(REGISTRY.replace("warmup_steps = 1", "warmup_steps = 2"))
    assert words == base
    assert {title.split()[0] for title in base if episodes[title] != base[title]} == {"evaluate", "floor"}
    assert {title.split()[0] for title in base if rate[title] != base[title]} == {"smoke", "train", "evaluate"}


def test_checkpoints_are_those_of_the_schedule(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    """A stopped training leaves a checkpoint of its own; it must neither be scored nor push a scheduled one out."""
    plan = small(registry, catalogue, tmp_path)
    assert plan.tasks[0].arms[0].evaluations[0].inputs["checkpoints"] == [2, 4]
    assert plan.tasks[0].arms[0].recipe.train.keep > 1000


def test_a_cell_is_read_back_as_it_was(tmp_path: Path) -> None:
    cell = floor(tmp_path)
    cell.prepare()
    assert read_cell(cell.directory) == cell


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


def test_no_more_cells_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    seen: list[int] = []
    cells = [floor(tmp_path, "random", episodes) for episodes in (1, 2, 3)]
    LocalEngine(2).run(cells, lambda running: seen.append(len(running)))
    assert max(seen) == 2


def test_two_runs_cannot_share_a_directory(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(ZooError, match="another `zoo suite run`"), only_one(tmp_path):
        pass


def test_processes_of_a_killed_run_leave_and_the_next_run_continues(tmp_path: Path) -> None:
    cell = floor(tmp_path, fault="hang", fault_seed=1, once=str(tmp_path / "hung"))
    cell.prepare()
    code = (
        "import sys; from pathlib import Path; from trunkzoo.suites.cells import read_cell; "
        "from trunkzoo.suites.engine import LocalEngine; "
        "LocalEngine(1).run([read_cell(Path(sys.argv[1]))], lambda _: None)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(cell.directory)])
    deadline = time.monotonic() + 60
    while not (tmp_path / "hung").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    children = psutil.Process(run.pid).children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert len(children) >= 2  # the cell and its worker
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert len(read_rows(cell.directory / "report-noop.jsonl")) == 1
    assert LocalEngine(1).run([cell], lambda _: None) == []
    assert [row["seed"] for row in read_rows(cell.directory / "report-noop.jsonl")] == [0, 1]


def finish(plan: SuitePlan) -> None:
    """Write the results of a suite as its cells would, without the hours."""
    for cell in every_cell(plan):
        cell.prepare()
        result: dict[str, Any] = {"seconds": 1.0}
        if cell.kind == "smoke":
            result |= {"parameters": 2_000_000, "trunk_parameters": 1_000_000, "cond_dim": 8, "feature_map": [8, 1, 1]}
            result |= {"head_parameters": 500_000, "multiply_adds": 3_000_000}
        if cell.kind == "train":
            result |= {"train_seconds": 65.0}
        if cell.kind == "evaluate":
            result |= {"selection": {"2": 0.25, "4": 0.5}, "chosen": 4, "latency_ms": 3.0}
        for name in {"evaluate": ["agent", "blind"], "floor": [cell.inputs.get("policy")]}.get(cell.kind, []):
            won = "wide" in cell.label and name == "agent"
            rows = [
                {"seed": seed, "success": won, "average_reward": 0.4 + 0.3 * won + 0.01 * (seed % 3)}
                for seed in seeds_of(cell.inputs["report"])
            ]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (cell.directory / f"report-{name}.jsonl").write_text(text)
        (cell.directory / "done.json").write_text(json.dumps(result))


def test_the_table_shows_arms_then_floors_then_the_ceiling(
    registry: Registry, catalogue: Catalogue, tmp_path: Path
) -> None:
    plan = small(registry, catalogue, tmp_path)
    finish(plan)
    rows = table(read_results(plan)[0])
    assert [row[0] for row in rows] == [
        "reach-resnet",
        "reach-wide",
        "reach-resnet, images blanked",
        "reach-wide, images blanked",
        "no-op",
        "random",
        "expert (ceiling)",
    ]
    wide = dict(zip(COLUMNS, rows[1], strict=True))
    assert wide["success (95 %)"] == "6/6 = 1.00 [0.61, 1.00]"
    assert wide["max avg_reward"] == "0.500 @ 4"
    assert wide["training"] == "1 min 05 s"
    assert wide["parameters (trunk)"] == "2.00 M (1.00 M)"


def test_the_sentences_name_the_winner_and_the_bias_of_the_maximum(
    registry: Registry, catalogue: Catalogue, tmp_path: Path
) -> None:
    plan = small(registry, catalogue, tmp_path)
    finish(plan)
    success, reward, bias = notes(read_results(plan)[0])
    assert success.startswith("reach-wide is better than reach-resnet in success")
    assert reward.startswith("reach-wide is better than reach-resnet in average reward")
    assert "biased upward" in bias


def test_arms_with_unequal_checkpoints_are_not_compared(
    registry: Registry, catalogue: Catalogue, tmp_path: Path
) -> None:
    plan = small(registry, catalogue, tmp_path)
    finish(plan)
    cell = plan.tasks[0].arms[1].evaluations[0]
    result = cell.result() | {"selection": {"2": 0.1, "3": 0.2, "4": 0.9}}
    (cell.directory / "done.json").write_text(json.dumps(result))
    with pytest.raises(ZooError, match="unequal budgets are not compared"):
        read_results(plan)


def test_an_unfinished_suite_has_no_table(registry: Registry, catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="has no result yet"):
        read_results(small(registry, catalogue, tmp_path))


@pytest.mark.slow
def test_a_whole_suite_killed_in_training_and_continued(
    registry: Registry, catalogue: Catalogue, tmp_path: Path
) -> None:
    """The engine is interrupted when a training has begun; what is continued equals what was never interrupted."""
    plan = small(registry, catalogue, tmp_path / "runs")
    first = plan.tasks[0].arms[0].trains[0]
    lines: list[str] = []

    class Interrupted(LocalEngine):
        def run(self, cells: Any, tick: Any) -> Any:
            def watch(running: Any) -> None:
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_runs_cells_and_reports_the_one_that_dies(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from trunkzoo.suites.ray_engine import RayEngine

    bad, good = floor(tmp_path, "noop", fault="exit", fault_seed=1), floor(tmp_path, "random")
    try:
        failures = RayEngine().run([bad, good], lambda _: None)
    finally:
        ray.shutdown()
    assert [failure.cell for failure in failures] == [bad]
    assert "failed 3 times" in failures[0].reason
    assert good.done() is not None
