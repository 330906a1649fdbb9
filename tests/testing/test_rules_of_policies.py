"""`zoo check` passes the policies that trunkzoo has itself, and fails one that `zoo eval` could not rely on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reach_task import install
from trunkzoo.catalogue.policies import make_policy_of
from trunkzoo.errors import PluginError
from trunkzoo.plugin import PolicyProvenance, PolicySpec
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.named import configure_policy, named_policy
from trunkzoo.rollouts.references import REFERENCES
from trunkzoo.testing import subject_of
from trunkzoo.testing.check import run_check
from trunkzoo.testing.policy_checks import POLICY_CHECKS

Change = Callable[[Any], None]


@pytest.fixture
def nudge(monkeypatch: pytest.MonkeyPatch) -> PolicySpec[Any]:
    install(monkeypatch)
    return open_zoo().catalogue.policy("nudge").spec


def outcome(spec: PolicySpec[Any], name: str, **settings: str) -> str:
    (check,) = [check for check in POLICY_CHECKS if check.name == name]
    result = run_check(check, subject_of(f"faulty/{spec.name}", spec, settings))
    return f"{result.outcome} {result.detail}".strip()


def broken(spec: PolicySpec[Any], *left_out: str, **settings: str) -> list[str]:
    told = {check.name: outcome(spec, check.name, **settings) for check in POLICY_CHECKS if check.name not in left_out}
    return [f"{name}: {line}" for name, line in told.items() if line != "passed"]


def changed(spec: PolicySpec[Any], change: Change) -> PolicySpec[Any]:
    """The policy as it is after ``change`` of every built one."""

    def build(config: Any, context: Any) -> Any:
        policy = spec.build(config, context)
        change(policy)
        return policy

    return replace(spec, build=build)


def test_a_policy_of_a_plugin_passes(nudge: PolicySpec[Any]) -> None:
    assert broken(nudge, side="left") == []


@pytest.mark.parametrize("name", list(REFERENCES))
def test_references_pass(name: str) -> None:
    assert broken(REFERENCES[name], "describes-without-torch") == []  # no entry point describes them


def test_without_its_argument_a_policy_is_not_judged(nudge: PolicySpec[Any]) -> None:
    told = "skipped it needs its side; check it with the setting side=SIDE"
    assert outcome(nudge, "satisfies-policy") == outcome(nudge, "misfits-are-told") == told


def steps_itself(policy: Any) -> None:
    act = policy.act

    def stepping(task: Any) -> Any:
        action = act(task)
        task.step(action)
        return action

    policy.act = stepping


def forgets_no_episode(policy: Any) -> None:
    began: list[int] = []
    reset = policy.reset

    def once(task: Any, seed: int) -> None:
        if not began:
            reset(task, seed)
            began.append(seed)

    policy.reset = once


def of_another_width(policy: Any) -> None:
    policy.act = lambda task: np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        (steps_itself, "leaves-the-task-alone", "only the caller takes steps"),
        (forgets_no_episode, "episodes-follow-their-seed", "after a different episode was played"),
        (forgets_no_episode, "latencies-belong-to-the-episode", "12 latencies after an episode, 24 after the next"),
        (of_another_width, "satisfies-policy", "act returned shape (3,); the task's action_dim makes it (2,)"),
    ],
)
def test_a_policy_that_breaks_a_rule_fails(nudge: PolicySpec[Any], change: Change, check: str, told: str) -> None:
    found = outcome(changed(nudge, change), check, side="left")
    assert found.startswith("failed")
    assert told in found


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (PolicyProvenance(name="mine", settings={"weights": "/home/me/weights.npz"}), "differs between machines"),
        (PolicyProvenance(name=""), "its name is empty"),
        ({"name": "mine"}, "returned dict, no PolicyProvenance"),
    ],
)
def test_a_provenance_that_no_row_can_hold_fails(nudge: PolicySpec[Any], said: Any, told: str) -> None:
    assert told in outcome(replace(nudge, provenance=lambda config: said), "says-where-it-comes-from", side="left")


def test_building_a_policy_names_all_that_it_lacks(nudge: PolicySpec[Any]) -> None:
    from trunkzoo.plugin import RolloutContext, TaskContract

    found = configure_policy(open_zoo().catalogue, named_policy(open_zoo().catalogue, "nudge:left"))
    contract = TaskContract(cameras=("top",), image_size=(32, 32), state_dim=2, action_dim=2)
    with pytest.raises(PluginError, match=r"built a object without latencies, reset\(\), act\(\), close\(\)"):
        make_policy_of(replace(found, spec=replace(nudge, build=lambda *_: object())), RolloutContext(contract))
