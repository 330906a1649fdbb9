"""Suites on paper: equal budgets, cells named by what decides them, results only from equal conditions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reach_task import REGISTRY, install, small
from scored import FOUND
from trunkzoo.errors import ConfigError, UsageError, ZooError
from trunkzoo.plugin import parse
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS, REPORT_SEEDS, SELECTION_SEEDS
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.conditions import require_equal_conditions
from trunkzoo.suites.config import BETWEEN_SETS, SuiteConfig
from trunkzoo.suites.plan import SuitePlan, every_cell, seeds_of
from trunkzoo.suites.planning import plan_suite
from trunkzoo.suites.results import read_results
from trunkzoo.suites.table import COLUMNS, notes, table
from trunkzoo.suites.work import train_cpu_seconds

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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ["a", "a"]}, "arms a appear twice"),
        ({"checkpoints": 3}, "do not divide into 3 checkpoints evenly"),
        ({"arms": [{"recipe": "a", "set": {"train.steps": 9}}]}, "cannot have a budget of its own"),
        ({"tasks": [{"name": "t", "demonstrations": 2, "first_seed": SELECTION_SEEDS[0]}]}, "first_seed"),
        ({"steps": None}, "steps"),
        ({"training_seeds": [0, 1, 0]}, "0 appear twice"),
        ({"training_seeds": [-1]}, "-1 is negative"),
        ({"training_seeds": ["0"]}, "training_seeds"),
        ({"training_seeds": [True]}, "training_seeds"),
        ({"training_seeds": [2**63 - 1]}, "training_seeds"),
        ({"arms": ["noop"]}, "arm 'noop': a label names a file of rows"),
        (
            {"arms": [{"name": "x" * 101, "recipe": "tour-resnet"}]},
            "a label names a file of rows",
        ),
        ({"arms": [{"name": "a\0b", "recipe": "tour-resnet"}]}, "a label names a file of rows"),
        ({"arms": [{"name": "\u202egnp", "recipe": "tour-resnet"}]}, "a label names a file of rows"),
        ({"arms": [{"recipe": "a", "name": "blind"}]}, "arm 'blind'"),
        ({"arms": [{"recipe": "a", "name": "../a"}]}, "begins with no dot"),
        ({"arms": [{"recipe": "a", "name": "a/b"}]}, "has no /"),
        ({"arms": ["a", {"recipe": "b", "control": "c"}]}, "control 'c' of 'b' is none of the other arms"),
        ({"arms": [{"recipe": "a", "control": "a"}]}, "control 'a' of 'a'"),
    ],
)
def test_a_suite_that_could_not_be_fair_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(SuiteConfig, TABLE | change, "suites.x")


def test_an_unknown_suite_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown suite 'smal'"):
        plan_suite("smal", open_zoo(), tmp_path)


def test_a_setting_that_no_recipe_has_names_its_arm(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"arm reach-wide: .*trunk.widht: unknown key"):
        small(tmp_path, text=REGISTRY.replace("trunk.width", "trunk.widht"))


def test_only_without_a_match_names_the_arms(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this suite has reach-resnet, reach-wide"):
        small(tmp_path, "nothing*")


def test_every_arm_has_the_budget_of_the_suite(tmp_path: Path) -> None:
    arms = small(tmp_path).tasks[0].arms
    budgets = {(a.recipe.train.steps, a.recipe.train.batch_size, a.recipe.train.checkpoint_every) for a in arms}
    assert budgets == {(4, 4, 2)}
    assert [arm.recipe.trunk.config["width"] for arm in arms] == [16, 32]


def test_selection_and_report_episodes_are_disjoint(tmp_path: Path) -> None:
    inputs = small(tmp_path).tasks[0].arms[0].evaluations[0].inputs
    assert set(seeds_of(inputs["selection"])) <= set(SELECTION_SEEDS[:100])
    assert set(seeds_of(inputs["report"])) <= set(REPORT_SEEDS[:100])


def keys_of(plan: SuitePlan) -> dict[str, str]:
    return {cell.title: cell.key for cell in every_cell(plan)}


def test_a_cell_is_named_by_what_decides_it(tmp_path: Path) -> None:
    def keys(text: str) -> dict[str, str]:
        return keys_of(small(tmp_path, text=text))

    base = keys(REGISTRY)
    words = keys(REGISTRY.replace("[recipes.reach-resnet]", '[recipes.reach-resnet]\nsummary = "words"'))
    episodes = keys(REGISTRY.replace("report_episodes = 6", "report_episodes = 7"))
    rate = keys(REGISTRY.replace("warmup_steps = 1", "warmup_steps = 2"))
    assert words == base
    assert {title.split()[0] for title in base if episodes[title] != base[title]} == {"evaluate", "floor"}
    assert {title.split()[0] for title in base if rate[title] != base[title]} == {
        "smoke",
        "train",
        "evaluate",
        "latency",
    }


def test_a_setting_younger_than_published_rows_leaves_cells_without_it_alone(tmp_path: Path) -> None:
    def trains(text: str) -> list[Cell]:
        return [cell for cell in every_cell(small(tmp_path, text=text)) if cell.kind == "train"]

    base = trains(REGISTRY)
    before = trains(REGISTRY.replace("[suites.small]", '[suites.small]\nset = { "encoder.keypoint_gain" = 1.0 }'))
    sharp = trains(REGISTRY.replace("[suites.small]", '[suites.small]\nset = { "encoder.keypoint_gain" = 10 }'))
    assert all("keypoint_gain" not in cell.inputs["recipe"]["encoder"] for cell in base)
    assert [cell.key for cell in before] == [cell.key for cell in base]
    assert not {cell.key for cell in sharp} & {cell.key for cell in base}


def test_a_new_version_of_a_foreign_plugin_makes_new_cells(tmp_path: Path) -> None:
    base, zoo = keys_of(small(tmp_path)), open_zoo(tmp_path / "registry.toml")
    rows = tuple(
        replace(row, distribution="reach-elsewhere", version="2.0") if row.name == "reach" else row
        for row in zoo.catalogue.plugins
    )
    newer = replace(zoo, catalogue=replace(zoo.catalogue, plugins=rows))
    changed = keys_of(plan_suite("small", newer, tmp_path))
    assert all(changed[title] != key for title, key in base.items())


def test_checkpoints_are_those_of_the_schedule(tmp_path: Path) -> None:
    """A stopped training leaves a checkpoint of its own; it must neither be scored nor push a scheduled one out."""
    plan = small(tmp_path)
    assert plan.tasks[0].arms[0].evaluations[0].inputs["checkpoints"] == [2, 4]
    assert plan.tasks[0].arms[0].recipe.train.keep == 0


def test_every_training_seed_has_its_own_demonstrations_the_same_for_all_arms(tmp_path: Path) -> None:
    text = REGISTRY.replace("steps = 4", "steps = 4\ntraining_seeds = [0, 2]")
    task = small(tmp_path, text=text).tasks[0]
    first = [cell.inputs["first_seed"] for cell in task.collects]
    assert first == [DEMONSTRATION_SEEDS, DEMONSTRATION_SEEDS + 2 * BETWEEN_SETS]
    for arm in task.arms:
        assert [train.inputs["data"] for train in arm.trains] == [cell.key for cell in task.collects]
    shared = small(tmp_path, text=text.replace("steps = 4", "steps = 4\ndemonstrations_per_seed = false", 1))
    assert shared.tasks[0].collects[0] == shared.tasks[0].collects[1] == task.collects[0]
    assert len(shared.stages()["collect"]) == 1


def test_the_last_checkpoint_is_reported_unless_the_best_is_asked_for(tmp_path: Path) -> None:
    last = small(tmp_path).tasks[0].arms[0].evaluations[0]
    chosen = small(tmp_path, text=REGISTRY.replace("steps = 4", 'steps = 4\nreport_checkpoint = "chosen"'))
    assert last.inputs["reported"] == "last"
    assert "reported" not in chosen.tasks[0].arms[0].evaluations[0].inputs  # as before there was a choice


def test_held_out_demonstrations_are_a_setting_of_every_arm(tmp_path: Path) -> None:
    arms = small(tmp_path, text=REGISTRY.replace("steps = 4", "steps = 4\nholdout_episodes = 1")).tasks[0].arms
    assert [arm.recipe.train.holdout_episodes for arm in arms] == [1, 1]


RESULTS = {**FOUND, "train": {**FOUND["train"], "train_cpu_seconds": 61.0}}


def finish(plan: SuitePlan) -> None:
    """Write the results of a suite as its cells would, without the hours."""
    for cell in every_cell(plan):
        cell.prepare()
        for policy in reported_by(cell):
            write_report(cell, policy)
        result = {"seconds": 1.0, **RESULTS.get(cell.kind, {})}
        (cell.directory / "done.json").write_text(json.dumps(result))


def reported_by(cell: Cell) -> list[str]:
    """The policies whose episodes a cell reports: an agent plays with its images and with blanked ones."""
    if cell.kind == "evaluate":
        return ["agent", "blind"]
    return [cell.inputs["policy"]] if cell.kind == "floor" else []


def write_report(cell: Cell, policy: str) -> None:
    """Rows of the report episodes, in which the wide agent alone succeeds and earns 0.3 more than all others."""
    won = "wide" in cell.label and policy == "agent"
    rows = [
        {"seed": seed, "success": won, "average_reward": 0.4 + 0.3 * won + 0.01 * (seed % 3)}
        for seed in seeds_of(cell.inputs["report"])
    ]
    (cell.directory / f"report-{policy}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_table_shows_arms_then_floors_then_the_ceiling(tmp_path: Path) -> None:
    plan = small(tmp_path)
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
    assert wide["max avg_reward"] == "0.500"
    assert (wide["training"], wide["CPU time"]) == ("1 min 05 s", "1 min 01 s")
    assert wide["parameters (trunk)"] == "2.00 M (1.00 M)"


def test_the_sentences_name_the_winner_and_the_bias_of_the_maximum(tmp_path: Path) -> None:
    plan = small(tmp_path)
    finish(plan)
    success, reward, bias = notes(read_results(plan)[0])
    assert success.startswith("reach-wide is better than reach-resnet in success")
    assert reward.startswith("reach-wide is better than reach-resnet in average reward")
    assert "biased upward" in bias


def test_arms_with_unequal_checkpoints_are_not_compared(tmp_path: Path) -> None:
    plan = small(tmp_path)
    finish(plan)
    cell = plan.tasks[0].arms[1].evaluations[0]
    result = cell.result() | {"selection": {"2": 0.1, "3": 0.2, "4": 0.9}}
    (cell.directory / "done.json").write_text(json.dumps(result))
    with pytest.raises(ZooError, match="unequal budgets are not compared"):
        read_results(plan)


def test_scores_under_another_rule_are_not_compared(tmp_path: Path) -> None:
    plan = small(tmp_path)
    finish(plan)
    cell = plan.tasks[0].arms[1].evaluations[0]
    file = cell.directory / "report-agent.jsonl"
    rows = [json.loads(line) | {"success_rule": "anywhere near"} for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ZooError, match=r"success_rule anywhere near, .*Remove .*evaluate-reach-wide"):
        read_results(plan)


def test_arms_may_use_different_packages_but_not_versions(tmp_path: Path) -> None:
    plan, rows = small(tmp_path), [{"seed": 1, "versions": {"mujoco": "3.3.0"}}]
    first, second = plan.tasks[0].arms[0].evaluations[0], plan.tasks[0].arms[1].evaluations[0]
    other = [{"seed": 1, "versions": {"mujoco": "3.3.0", "somebodys-trunk": "2.0"}}]
    require_equal_conditions([(first, rows), (second, other)])
    other[0]["versions"] = {"mujoco": "3.4.0"}
    with pytest.raises(ZooError, match=r"has versions {'mujoco': '3.4.0'}, .* {'mujoco': '3.3.0'}"):
        require_equal_conditions([(first, rows), (second, other)])


def test_an_unfinished_suite_has_no_table(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="has no result yet"):
        read_results(small(tmp_path))


def test_the_first_trainings_alone_are_cells_of_the_whole_suite(tmp_path: Path) -> None:
    whole = small(tmp_path, text=REGISTRY + "training_seeds = [4, 5]\n")
    first = whole.first(1)
    assert {cell.key for cell in every_cell(first)} < {cell.key for cell in every_cell(whole)}
    assert {cell.inputs["seed"] for cell in first.stages()["train"]} == {whole.config.training_seeds[0]}


def test_processor_time_of_a_training_counts_every_step_of_every_session() -> None:
    """Steps 1 to 200 at 0.5 s each, then, after a stop, 201 to 300 at 0.8 s; what an event's row says is no step."""
    rows = [
        {"step": 100, "steps_per_second": 2.0, "cpu_per_step": 0.5},
        {"step": 200, "steps_per_second": 2.0, "cpu_per_step": 0.5},
        {"step": 200, "holdout_error": 0.1},
        {"step": 300, "steps_per_second": 1.0, "cpu_per_step": 0.8},
    ]
    assert train_cpu_seconds(rows) == 180.0
    assert train_cpu_seconds([{"step": 50, "steps_per_second": 2.0}, *rows]) is None  # begun before it was logged
