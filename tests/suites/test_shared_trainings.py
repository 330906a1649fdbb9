"""Arms that share trainings: judged otherwise in one suite, or called by another name in another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, reach, small
from trunkzoo.api import evaluate
from trunkzoo.errors import ConfigError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.rows import read_rows
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.layout import DONE, parts_of, report_rows
from trunkzoo.suites.planning import plan_suite
from trunkzoo.suites.publish import publish
from trunkzoo.suites.published import adopt
from trunkzoo.suites.work import run_cell
from zoo_process import zoo

RESULTS = Path(__file__).parents[2] / "results"
WHOLE = '{ name = "whole", trained_as = "reach-resnet", recipe = "reach-resnet", num_action_steps = 4 }'
JUDGED_TWICE = REGISTRY.replace('["reach-resnet", ', f'["reach-resnet", {WHOLE}, ')


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the task ``reach/reach``."""
    install(monkeypatch)


def finish(cell: Cell, episodes: int = 0) -> None:
    """Give a cell the rows of random play."""
    cell.prepare()
    if episodes:
        evaluate(policy="random", task=reach(), seeds=range(episodes), file=report_rows(cell.directory, "agent"))
    write_json(cell.directory / DONE, {})


def test_arms_that_are_judged_otherwise_share_their_trainings(tmp_path: Path) -> None:
    plan = small(tmp_path, text=JUDGED_TWICE)
    own, whole, _ = plan.tasks[0].arms
    assert (own.trains, own.smoke) == (whole.trains, whole.smoke)
    assert (own.recipe.contract.num_action_steps, whole.recipe.contract.num_action_steps) == (2, 4)
    played, other = own.evaluations[0].inputs, whole.evaluations[0].inputs
    assert other == {**played, "num_action_steps": 4}
    assert [len(plan.stages()[name]) for name in ("smoke", "train")] == [2, 2]
    assert small(tmp_path).tasks[0].arms[0].evaluations == own.evaluations


def test_an_arm_executes_no_more_than_it_predicts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="num_action_steps 5 exceeds pred_horizon 4"):
        small(tmp_path, text=JUDGED_TWICE.replace("num_action_steps = 4", "num_action_steps = 5"))


def test_one_training_is_judged_twice_where_arms_differ_in_the_actions_executed(tmp_path: Path) -> None:
    task = small(tmp_path, text=JUDGED_TWICE).tasks[0]
    own, whole = (arm.evaluations[0] for arm in task.arms[:2])
    for cell in (*task.collects, task.arms[0].trains[0], own, whole):
        run_cell(cell, open_zoo())
    played, other = (read_rows(report_rows(cell.directory, "agent")) for cell in (own, whole))
    assert {row["checkpoint_sha256"] for row in (*played, *other)} == {played[0]["checkpoint_sha256"]}
    assert {row.get("num_action_steps") for row in played} == {None}
    parts = [row for _, path in parts_of(whole.directory) for row in read_rows(path)]
    assert {row["num_action_steps"] for row in parts} == {4}  # checkpoints, report and blind alike
    assert [row["return"] for row in played] != [row["return"] for row in other]


def test_a_suite_takes_over_what_another_calls_by_another_name(tmp_path: Path) -> None:
    """The arm of one suite is ``trained_as`` that of the other, whose label another arm here bears too."""
    (tmp_path / "there").mkdir()
    suite = small(tmp_path)
    for cell in (cell for arm in suite.tasks[0].arms for cell in (arm.smoke, *arm.trains)):
        finish(cell)
    wide = suite.tasks[0].arms[1].evaluations[0]
    for cell, episodes in ((suite.tasks[0].arms[0].evaluations[0], 3), (wide, 5)):
        finish(cell, episodes)
    publish(suite, tmp_path / "published", partial=True)
    renamed = REGISTRY.replace('name = "reach-wide"', 'name = "wider", trained_as = "reach-wide"')
    renamed = renamed.replace('["reach-resnet", ', '[{ name = "reach-wide", recipe = "reach-resnet" }, ')
    other = small(tmp_path / "there", text=renamed)
    assert adopt(other, tmp_path / "published") == 1
    first, second = other.tasks[0].arms
    assert (second.label, second.evaluations[0].key) == ("wider", wide.key)
    assert first.evaluations[0].done() is None  # named as theirs, but trained otherwise
    rows = [(cell.directory / "report-agent.jsonl").read_text() for cell in (wide, second.evaluations[0])]
    assert rows[0] == rows[1]


def test_a_suite_takes_over_from_several_others(tmp_path: Path) -> None:
    """`phase1-handover` takes the trainings of one arm from `phase2-handover-32`, which calls it resnet-18."""
    published = [str(RESULTS / name) for name in ("phase2-lift", "phase2-handover-32")]
    told = ["--from", published[0], "--from", published[1], "-o", str(tmp_path), "--trainings", "5", "--json"]
    arm = ["phase1-handover", "--only", "predict-32-execute-16"]
    run = zoo("suite", "status", *arm, *told, TRUNKZOO_PLUGINS="resnet,imf,robosuite")
    assert run.code == 0, run.err
    states = {row["state"] for row in json.loads(run.out) if row["cell"].startswith(("train", "evaluate", "collect"))}
    assert states == {"published", "not needed"}


def test_the_rows_of_those_trainings_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "resnet,imf,robosuite")
    plan = plan_suite("phase1-handover", open_zoo(), tmp_path, ["predict-32-execute-16"]).first(5)
    assert adopt(plan, RESULTS / "phase2-handover-32") == 5 + 3  # evaluations and floors
    rows = [read_rows(report_rows(cell.directory, "agent")) for cell in plan.tasks[0].arms[0].evaluations]
    assert {(len(of), of[0]["recipe"]) for of in rows} == {(60, "resnet-18")}
