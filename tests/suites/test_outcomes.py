"""Outcomes that see small differences, from the rows that every episode has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.nn.modules.module import Module, register_module_forward_pre_hook

from reach_task import REGISTRY, install, small
from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.agent.numbers import count_parameters
from trunkzoo.errors import ZooError
from trunkzoo.plugin import TaskSpec
from trunkzoo.registry import open_zoo
from trunkzoo.statistics import compare, wilson
from trunkzoo.suites.comparing import compare_task
from trunkzoo.suites.outcomes import outcome_table, outcomes_of
from trunkzoo.suites.paired_outcomes import outcome_differences, paired_numbers, paired_table
from trunkzoo.suites.results import ArmResult, TaskResult
from trunkzoo.suites.work import LATENCY_ROUNDS, run_cell

STAGES = {"grasped": 0.25, "lifted": 0.5}
ROWS = [(0.2, None), (0.3, None), (0.25, None), (0.6, None), (1.0, 40), (1.0, 60), (0.1, None), (1.0, 90)]


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArmResult:
    """Eight episodes of one training."""
    install(monkeypatch)
    plan = small(tmp_path).tasks[0].arms[0]
    rows = tuple(
        {"seed": seed, "success": step is not None, "success_step": step, "max_reward": best, "average_reward": 0.1}
        for seed, (best, step) in enumerate(ROWS)
    )
    return ArmResult(plan, {}, 1.0, (4,), ({4: 0.1},), 0.1, 1.0, (0.0375,), rows=(rows,), blind=())


def test_shares_of_stages_the_median_step_and_the_error(arm: ArmResult) -> None:
    found = outcomes_of(arm, STAGES)
    assert found["stages"] == {"grasped": wilson(6, 8).limits(), "lifted": wilson(4, 8).limits()}
    assert (found["success_step"], found["holdout_error"]) == (60.0, 0.0375)


def test_several_trainings_widen_a_share(arm: ArmResult) -> None:
    other = tuple({**row, "max_reward": 0.0} for row in arm.rows[0])
    (share,) = outcomes_of(replace(arm, rows=(*arm.rows, other)), {"grasped": 0.25})["stages"].values()
    assert share[0] == 6 / 16
    assert share[2] - share[1] > wilson(6, 16).high - wilson(6, 16).low


def test_the_table_has_a_column_for_every_stage_and_dashes_for_what_is_not_known(
    arm: ArmResult, tmp_path: Path
) -> None:
    never = replace(arm, rows=(tuple({**row, "success_step": None} for row in arm.rows[0]),), holdout_errors=())
    task = replace(small(tmp_path).tasks[0], stages=STAGES)
    columns, rows = outcome_table(TaskResult(task, (arm, never), {}, ()))
    assert columns == ("arm", "grasped (95 %)", "lifted (95 %)", "steps to success", "held-out action error")
    assert rows[0][2:] == ("0.50 [0.22, 0.78]", "60", "0.0375")
    assert rows[1][3:] == ("–", "–")
    attends = replace(arm, depth_entropies=(0.9, 0.7))
    columns, rows = outcome_table(TaskResult(task, (attends, never), {}, ()))
    assert (columns[-1], rows[0][-1], rows[1][-1]) == ("depth entropy", "0.80", "–")
    assert outcomes_of(attends, {})["depth_entropy"] == 0.8
    sees = replace(arm, place_errors=(0.003, 0.005), place_guess=0.0229)
    columns, rows = outcome_table(TaskResult(task, (sees, never), {}, ()))
    assert (columns[-1], rows[0][-1], rows[1][-1]) == ("place error", "0.40 of 2.29 cm", "–")
    assert outcomes_of(sees, {})["place_errors"] == (0.003, 0.005)


def test_two_arms_are_compared_scene_by_scene_in_finer_outcomes(arm: ArmResult, tmp_path: Path) -> None:
    """Rows in any order: the slower arm takes ten steps more where both succeed and never grasps in two scenes more."""
    slower = [{**row, "success_step": row["success_step"] and row["success_step"] + 10} for row in arm.rows[0]]
    slower[1:3] = [{**row, "max_reward": 0.0} for row in slower[1:3]]
    slower[7] = {**slower[7], "success": False, "success_step": None}
    found = outcome_differences([slower[::-1]] * 2, [arm.rows[0]] * 2, STAGES)
    assert list(found) == ["grasped", "lifted", "best reward", "steps to success"]
    assert [found[name].value for name in found] == pytest.approx([-2 / 8, 0.0, -0.55 / 8, 10.0])
    grasps = [[0, 0, 0, 1, 1, 1, 0, 1]] * 2, [[0, 1, 1, 1, 1, 1, 0, 1]] * 2
    assert found["grasped"] == compare("a", grasps[0], "b", grasps[1], "success").difference
    assert found["steps to success"] == (10.0, 10.0, 10.0)


def test_steps_are_not_compared_where_no_scene_is_solved_by_both(arm: ArmResult, tmp_path: Path) -> None:
    task = replace(small(tmp_path).tasks[0], stages={})
    never = tuple({**row, "success": False, "success_step": None} for row in arm.rows[0])
    other = replace(arm, plan=small(tmp_path).tasks[0].arms[1], rows=(never,))
    result = TaskResult(task, (arm, other), {}, compare_task([arm, other]))
    columns, rows = paired_table(result)
    assert columns == ("difference", "best reward (95 %)", "steps to success (95 %)")
    assert [(row[0], row[2]) for row in rows] == [("reach-wide − reach-resnet", "–")]
    (numbers,) = paired_numbers(result)
    assert numbers["outcomes"]["steps to success"] == [None, None, None]


def test_an_evaluation_measures_how_exactly_its_agent_sees_where_the_suite_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The targets of reach lie in a square of 1 m: their mean distance from the mean place is 0.38 m."""
    install(monkeypatch)
    asks = REGISTRY.replace("report_episodes = 6", "report_episodes = 6\nsight_scenes = 30")
    task, without = small(tmp_path, text=asks).tasks[0], small(tmp_path).tasks[0]
    evaluation = task.arms[0].evaluations[0]
    assert "sight" not in without.arms[0].evaluations[0].inputs  # an evaluation made before keeps its address
    for cell in (*task.collects, task.arms[0].trains[0], evaluation):
        run_cell(cell, open_zoo())
    found = evaluation.result()
    assert 0 < found["place_error"] < 0.5
    assert found["place_guess"] == pytest.approx(0.38, abs=0.05)
    with pytest.raises(ZooError, match="sight_scenes 7: a linear map needs 20 scenes"):
        small(tmp_path, text=asks.replace("= 30", "= 7"))


@pytest.mark.parametrize("stages", [{"a": 0.5, "b": 0.2}, {"a": 0.0}, {"a": 1.5}, {"a": 0.5, "b": 0.5}])
def test_stages_that_do_not_rise_within_the_reward_range_are_refused(stages: dict[str, float]) -> None:
    spec = open_zoo().catalogue.task("robosuite/two-arm-handover").spec
    with pytest.raises(ValueError, match="must rise within the reward range 0 to 1"):
        replace(spec, stages=stages)


def test_the_two_arm_tasks_state_their_stages() -> None:
    catalogue = open_zoo().catalogue
    specs: list[TaskSpec[Any]] = [catalogue.task(f"robosuite/two-arm-{name}").spec for name in ("lift", "handover")]
    assert [list(spec.stages) for spec in specs] == [["held", "raised"], ["grasped", "lifted", "held by both"]]


def test_a_training_tells_how_near_to_uniform_its_depth_attention_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "reach,resnet,imf,attnres")
    attends = '"reach-resnet", { name = "reach-attends", recipe = "reach-resnet", trunk = "attnres/attnres-conv-18", '
    text = REGISTRY.replace('"reach-resnet", {', f'{attends}set = {{ "trunk.widths" = [16, 16, 16, 16] }} }}, {{', 1)
    task = small(tmp_path, text=text).tasks[0]
    for cell in (*task.collects, *(arm.trains[0] for arm in task.arms[:2])):
        run_cell(cell, open_zoo())
    without, entropy = (arm.trains[0].result()["depth_entropy"] for arm in task.arms[:2])
    assert without is None
    assert 0.9 < entropy <= 1.0


def test_latency_of_all_arms_is_measured_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A B A B in one process, the order in which their encoders are called: what slows one arm down slows all."""
    install(monkeypatch)
    task, called = small(tmp_path).tasks[0], list[int]()

    def note(module: Module, _: object) -> None:
        if isinstance(module, ObservationEncoder):
            called.append(count_parameters(module))

    hook = register_module_forward_pre_hook(note)
    try:
        run_cell(task.latency, open_zoo())
    finally:
        hook.remove()
    measured = called[-2 * LATENCY_ROUNDS :]  # before these the agents are built and warmed up
    assert measured == measured[:2] * LATENCY_ROUNDS
    assert measured[0] < measured[1]  # reach-wide has twice the width
    found = task.latency.result()["latency_ms"]
    assert list(found) == ["reach-resnet", "reach-wide"]
    assert all(0 < value < 10_000 for value in found.values())
    assert task.latency in small(tmp_path).stages()["evaluate"]
