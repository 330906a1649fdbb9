"""The conformance kit holds a task's rewards against the range that its record states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reach_task import install
from trunkzoo.registry import open_zoo
from trunkzoo.testing.check import CheckFailed, Subject
from trunkzoo.testing.task_checks import (
    TaskSubject,
    expert_succeeds,
    record_is_complete,
    steps_give_reward_and_success,
)


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> TaskSubject:
    install(monkeypatch)
    spec = open_zoo().catalogue.task("reach/reach").spec
    return Subject("reach/reach", spec, spec.config())


def stating(task: TaskSubject, low: float, high: float) -> TaskSubject:
    return replace(task, spec=replace(task.spec, reward_range=(low, high), expert_success=0.0))


def test_rewards_in_the_stated_range_pass(task: TaskSubject) -> None:
    for check in (record_is_complete, steps_give_reward_and_success, expert_succeeds):
        check(stating(task, 0.0, 1.0))


def test_a_reward_outside_the_stated_range_fails(task: TaskSubject) -> None:
    with pytest.raises(CheckFailed, match=r"outside the stated reward_range \(0.0, 0.01\)"):
        steps_give_reward_and_success(stating(task, 0.0, 0.01))


def test_the_expert_must_not_leave_the_range_either(task: TaskSubject) -> None:
    with pytest.raises(CheckFailed, match="outside the stated reward_range"):
        expert_succeeds(stating(task, 0.0, 0.9))


def test_an_empty_range_fails(task: TaskSubject) -> None:
    with pytest.raises(CheckFailed, match=r"reward_range \(1.0, 0.0\) is empty"):
        record_is_complete(stating(task, 1.0, 0.0))
