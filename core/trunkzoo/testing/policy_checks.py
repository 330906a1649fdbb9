"""Conformance checks of policies: played in the task that the record names, one action after another."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.policies import require_policy
from trunkzoo.catalogue.tasks import contract_of, make_task
from trunkzoo.errors import UsageError
from trunkzoo.plugin.contract import TaskContract
from trunkzoo.plugin.protocols import Policy, Task
from trunkzoo.plugin.records import PolicyProvenance, PolicySpec, RolloutContext, lacks_argument
from trunkzoo.registry import open_zoo
from trunkzoo.testing.check import Check, CheckSkipped, Subject, require
from trunkzoo.testing.described import config_rejects_unknown_keys, config_round_trips, describes_without_torch

PolicySubject = Subject[PolicySpec[Any]]
SEED = 20_000  # away from the small ones that authors try by hand
STEPS = 12  # of an episode: beyond the first chunk of most policies
NOISE_SEED = 7


def record_is_complete(subject: PolicySubject) -> None:
    """Its argument is a setting that can be left out, and the task in which it is checked is installed."""
    argument = subject.spec.argument
    if argument:
        field = subject.spec.config.model_fields[argument]
        require(
            not field.is_required(), f"argument '{argument}' has no default; make it empty text, which means absent"
        )
    try:
        open_zoo().catalogue.task(subject.spec.checked_on)
    except UsageError as error:
        require(False, f"checked_on: {error}")


def says_where_it_comes_from(subject: PolicySubject) -> None:
    """``provenance(config)`` builds nothing, says the same twice, and can go into a row: JSON without paths."""
    _require_argument(subject)
    said = [subject.spec.provenance(subject.config) for _ in range(2)]
    require(isinstance(said[0], PolicyProvenance), f"provenance returned {type(said[0]).__name__}, no PolicyProvenance")
    require(said[0] == said[1], f"provenance says {said[0]}, then {said[1]}")
    require(bool(said[0].name), "its name is empty; tables need one")
    text = json.dumps(asdict(said[0]))
    paths = [leaf for leaf in _leaves(json.loads(text)) if leaf.startswith(("/", "~/", "./"))]
    require(
        not paths,
        f"provenance has the path {paths[:1]}, which differs between machines; leave it out, or hash the file",
    )


def misfits_are_told(subject: PolicySubject) -> None:
    """``misfits(config, contract)`` is a list of lines, none for the task in which it is checked."""
    _require_argument(subject)
    found = subject.spec.misfits(subject.config, _contract(subject))
    lines = not isinstance(found, str) and all(isinstance(line, str) and line.strip() for line in found)
    require(lines, f"misfits returned {found!r}; it must be a list of lines")
    if found:
        raise CheckSkipped(f"it does not fit {subject.spec.checked_on}: {'; '.join(found)}")


def satisfies_policy(subject: PolicySubject) -> None:
    """It has every member of a policy, and its actions are finite float32 of the task's width."""
    with _playing(subject) as (task, policy):
        _episode(task, policy, SEED)


def episodes_follow_their_seed(subject: PolicySubject) -> None:
    """The same seed gives the same actions, also after another episode, and in a policy that was built again."""
    with _playing(subject) as (task, policy):
        first, _, again = (np.stack(_episode(task, policy, seed)) for seed in (SEED, SEED + 1, SEED))
    with _playing(subject) as (task, policy):
        fresh = np.stack(_episode(task, policy, SEED))
    require(
        bool(np.array_equal(first, again)), "the same seed gives other actions after a different episode was played"
    )
    require(bool(np.array_equal(first, fresh)), "the same seed gives other actions in a policy that was built again")


def leaves_the_task_alone(subject: PolicySubject) -> None:
    """It observes the task and neither steps nor resets it: after ``act`` the scene is as it was."""
    with _playing(subject) as (task, policy):
        task.reset(SEED)
        policy.reset(task, SEED)
        before = {key: np.array(value) for key, value in task.observe().items()}
        policy.act(task)
        after = task.observe()
        moved = [key for key, value in before.items() if not np.array_equal(value, after[key])]
        require(not moved, f"after act() the task shows another {', '.join(moved)}; only the caller takes steps")


def latencies_belong_to_the_episode(subject: PolicySubject) -> None:
    """``latencies`` holds milliseconds of this episode alone: reset begins it anew."""
    with _playing(subject) as (task, policy):
        counts = []
        for seed in (SEED, SEED + 1):
            _episode(task, policy, seed)
            wrong = [ms for ms in policy.latencies if not (math.isfinite(ms) and ms >= 0)]
            require(not wrong, f"latencies has {wrong[:1]}; milliseconds are finite and not negative")
            counts.append(len(policy.latencies))
        require(
            counts[0] == counts[1],
            f"{counts[0]} latencies after an episode, {counts[1]} after the next of equal length",
        )


def _contract(subject: PolicySubject) -> TaskContract:
    return contract_of(open_zoo().catalogue.configure("task", Part(name=subject.spec.checked_on)))


def _require_argument(subject: PolicySubject) -> None:
    if lacks_argument(subject.spec, subject.config):
        name = subject.spec.argument
        raise CheckSkipped(f"it needs its {name}; check it with the setting {name}={name.upper()}")


@contextlib.contextmanager
def _playing(subject: PolicySubject) -> Iterator[tuple[Task, Policy]]:
    """The task and the built policy, both closed at the end."""
    _require_argument(subject)
    contract = _contract(subject)
    if misfits := subject.spec.misfits(subject.config, contract):
        raise CheckSkipped(f"it does not fit {subject.spec.checked_on}: {'; '.join(misfits)}")
    built = subject.spec.build(subject.config, RolloutContext(contract, NOISE_SEED))
    policy = require_policy(built, f"policy '{subject.id}'")
    task = make_task(open_zoo().catalogue.configure("task", Part(name=subject.spec.checked_on)))
    try:
        yield task, policy
    finally:
        task.close()
        policy.close()


def _episode(task: Task, policy: Policy, seed: int) -> list[NDArray[np.float32]]:
    task.reset(seed)
    policy.reset(task, seed)
    actions = []
    for _ in range(STEPS):
        actions.append(_checked(policy.act(task), (task.contract.action_dim,)))
        task.step(actions[-1])
    return actions


def _checked(action: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    require(isinstance(action, np.ndarray), f"act returned {type(action).__name__}; it must be a numpy array")
    require(action.shape == shape, f"act returned shape {action.shape}; the task's action_dim makes it {shape}")
    require(action.dtype == np.float32, f"act returned {action.dtype}; it must be float32")
    require(bool(np.isfinite(action).all()), f"act returned {action.tolist()}; it must be finite")
    return np.asarray(action)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif isinstance(value, str):
        yield value


POLICY_CHECKS: tuple[Check[PolicySpec[Any]], ...] = (
    Check(describes_without_torch, builds=False),
    Check(config_rejects_unknown_keys, builds=False),
    Check(config_round_trips, builds=False),
    Check(record_is_complete, builds=False),
    Check(says_where_it_comes_from, builds=False),
    Check(misfits_are_told, builds=False),
    Check(satisfies_policy),
    Check(episodes_follow_their_seed),
    Check(leaves_the_task_alone),
    Check(latencies_belong_to_the_episode),
)
