"""Action errors on held-out demonstrations, compared training by training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from reach_task import install, small
from trunkzoo.statistics import compare
from trunkzoo.statistics.intervals import student
from trunkzoo.suites.held_out import compare_errors, error_differences
from trunkzoo.suites.results import ArmResult, TaskResult

FIRST, SECOND = (0.0550, 0.0495, 0.0550, 0.0578), (0.0566, 0.0494, 0.0558, 0.0595)


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    found = compare_errors("a", FIRST, "b", SECOND)
    expected = stats.ttest_rel(FIRST, SECOND).confidence_interval(0.95)
    np.testing.assert_allclose(found.difference[1:], (expected.low, expected.high), rtol=1e-12)
    assert found.difference.value == pytest.approx(np.mean(FIRST) - np.mean(SECOND))
    assert found.sentence() == (
        "Action error on held-out demonstrations (less is better): a 0.0543, b 0.0553, "
        "difference -0.0010 [-0.0023, +0.0003] over 4 paired trainings."
    )


def test_one_training_has_no_limits_and_equal_differences_no_width() -> None:
    assert math.isnan(student([0.1]).low)
    assert student([0.25, 0.25, 0.25]) == (0.25, 0.25, 0.25)


def test_coverage_at_three_trainings() -> None:
    """Student's interval holds the mean 95 times in 100: 4000 experiments, three standard errors of that share."""
    values = np.random.default_rng(3).normal(size=(4000, 3))
    held = np.mean([interval.low <= 0 <= interval.high for interval in map(student, values.tolist())])
    assert abs(held - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4000)


def test_pairs_of_a_task_are_those_that_it_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    task = small(tmp_path).tasks[0]
    curves = ({4: 0.1},) * 4
    arms = tuple(
        ArmResult(plan, {}, 1.0, (4,) * 4, curves, 0.1, 1.0, errors, rows=(), blind=())
        for plan, errors in zip(task.arms[:2], (FIRST, SECOND), strict=True)
    )
    first, second = (arm.plan.label for arm in arms)
    won = np.eye(4, 6)
    result = TaskResult(task, arms, {}, (compare(second, won, first, won[::-1], "success"),))
    (found,) = error_differences(result)
    assert (found.a, found.b, found.trainings) == (second, first, 4)
    assert found.difference.value > 0
    assert found.to_dict()["difference"] == found.difference.limits()
    recipe = arms[1].plan.recipe
    contract = recipe.contract.model_copy(update={"pred_horizon": 2 * recipe.contract.pred_horizon})
    farther = replace(arms[1].plan, recipe=recipe.model_copy(update={"contract": contract}))
    assert error_differences(replace(result, arms=(arms[0], replace(arms[1], plan=farther)))) == ()
    same = replace(arms[1].plan, trains=arms[0].plan.trains)  # judged otherwise, by the same trainings
    assert error_differences(replace(result, arms=(arms[0], replace(arms[1], plan=same)))) == ()
    one_unknown = replace(result, arms=(arms[0], replace(arms[1], holdout_errors=SECOND[:3])))
    assert error_differences(one_unknown) == ()
    few = [replace(arm, curves=arm.curves[:2], holdout_errors=arm.holdout_errors[:2]) for arm in arms]
    assert error_differences(replace(result, arms=tuple(few))) == ()
