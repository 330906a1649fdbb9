"""A suite sets beside its arms what another program trained: same demonstrations, budget, seeds and episodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, small
from trunkzoo.errors import ConfigError, UsageError, ZooError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import read_rows
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.foreign import fill
from trunkzoo.suites.foreign_results import ForeignResult, read_foreign
from trunkzoo.suites.layout import report_rows
from trunkzoo.suites.plan import ForeignPlan
from trunkzoo.suites.table import _foreign_row
from trunkzoo.suites.work import run_cell

TRAINER = """
import json, pathlib, sys
import pyarrow.parquet as parquet
data, episodes, output, *numbers = sys.argv[1:]
rows = [row for file in pathlib.Path(data).glob("data/**/*.parquet") for row in parquet.read_table(file).to_pylist()]
actions = [row["action"] for row in rows if row["episode_index"] in json.loads(episodes)]
mean = [sum(axis) / len(axis) for axis in zip(*actions)]
pathlib.Path(output).mkdir()
text = json.dumps({"place": mean, "numbers": numbers, "share": len(actions) / len(rows)})
(pathlib.Path(output) / "place.json").write_text(text)
"""
WORDS = ["{data}", "{episodes}", "{output}", "{steps}", "{batch_size}", "--seed={seed}"]


def registry(command: list[str], policy: str = "trained") -> str:
    """The suite with one arm and a policy that ``command`` trains, for two training seeds."""
    table = f"[[suites.small.foreign]]\nname = 'mean'\npolicy = '{policy}'\ncommand = {json.dumps(command)}\n"
    return REGISTRY.replace("steps = 4", "steps = 4\nholdout_episodes = 1\ntraining_seeds = [3, 8]") + table


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def trainer(folder: Path) -> list[str]:
    (folder / "trainer.py").write_text(TRAINER)
    return [sys.executable, str(folder / "trainer.py"), *WORDS]


def cells(folder: Path, command: list[str]) -> tuple[ForeignPlan, tuple[Cell, ...]]:
    (task,) = small(folder, text=registry(command)).tasks
    return task.foreign[0], task.collects


def test_it_learns_from_the_arms_demonstrations_and_plays_their_episodes(tmp_path: Path) -> None:
    plan, collects = cells(tmp_path, trainer(tmp_path))
    zoo = open_zoo()
    for cell in (*collects, *plan.trains, *plan.evaluations):
        run_cell(cell, zoo)
    left = [json.loads((cell.directory / "run" / "place.json").read_text()) for cell in plan.trains]
    assert [it["numbers"] for it in left] == [["4", "4", "--seed=3"], ["4", "4", "--seed=8"]]
    assert all(0.2 < it["share"] < 0.8 for it in left)  # one of two demonstrations is held out from all
    assert all(cell.result()["cpu_seconds"] > 0.1 for cell in plan.trains)  # that of the command is in it
    assert left[0]["place"] != left[1]["place"]  # other demonstrations for every training seed
    rows, blind = (
        [read_rows(report_rows(cell.directory, it)) for cell in plan.evaluations] for it in ("agent", "blind")
    )
    assert [[row["seed"] for row in of] for of in rows] == [list(range(2_000_000, 2_000_006))] * 2
    assert [of[0]["policy_record"]["settings"] for of in rows] == left
    assert all(before["return"] != after["return"] for before, after in zip(rows[0], blind[0], strict=True))
    result: ForeignResult = read_foreign(plan)
    assert [list(of) for of in result.rows] == rows
    shown = _foreign_row(result)
    assert shown[:5] == ("mean", "faulty/trained", "–", "–", "4")
    assert result.to_dict()["latency_ms"] == 2.0
    assert shown[-2:] == ("–", "–")  # measured otherwise than that of the arms, so not beside it
    assert "/12 = " in shown[7]


def test_its_cells_stand_in_the_stages_and_another_command_makes_others(tmp_path: Path) -> None:
    plan = small(tmp_path, text=registry(trainer(tmp_path)))
    labels = [cell.label for cell in plan.stages()["train"]]
    assert [label for label in labels if label.startswith("mean")] == ["mean-reach-seed3", "mean-reach-seed8"]
    other = small(tmp_path, text=registry([*trainer(tmp_path), "--more"]))
    keys = [{cell.key for cell in each.tasks[0].foreign[0].trains} for each in (plan, other)]
    assert not keys[0] & keys[1]
    assert plan.first(1).tasks[0].foreign[0].trains == plan.tasks[0].foreign[0].trains[:1]
    assert small(tmp_path, "reach-*", text=registry(trainer(tmp_path))).tasks[0].foreign == ()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([sys.executable, "-c", "import sys; sys.exit(3)", *WORDS], "ended with 3; its words are in the log"),
        ([sys.executable, "-c", "", *WORDS], "left nothing at "),
        (["/no/such/program", *WORDS], "cannot run /no/such/program: No such file or directory"),
    ],
)
def test_a_training_that_fails_is_told(command: list[str], told: str, tmp_path: Path) -> None:
    plan, collects = cells(tmp_path, command)
    zoo = open_zoo()
    run_cell(collects[0], zoo)
    with pytest.raises(ZooError, match=told):
        run_cell(plan.trains[0], zoo)
    assert plan.trains[0].done() is None


def test_a_budget_of_its_own_and_an_unknown_policy_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"\{steps\}, \{batch_size\} must stand in it: data, seeds and budget are those"
    ):
        small(tmp_path, text=registry(["train", "{data}", "{episodes}", "{output}", "{seed}", "--steps=9"]))
    with pytest.raises(UsageError, match="unknown policy 'traned'"):
        small(tmp_path, text=registry(trainer(tmp_path), "traned"))


def test_braces_of_json_stay() -> None:
    assert fill('--set={"a": {data}}', {"data": "/d"}) == '--set={"a": /d}'
