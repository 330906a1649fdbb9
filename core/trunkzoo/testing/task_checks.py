"""Conformance checks of simulator tasks."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.catalogue.tasks import expert_commands, require_task
from trunkzoo.plugin.contract import STATE_KEY, TaskContract
from trunkzoo.plugin.protocols import Located, NoiseTolerant, Step, Task
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.testing.check import Check, CheckFailed, Subject, require
from trunkzoo.testing.described import config_rejects_unknown_keys, config_round_trips, describes_without_torch

TaskSubject = Subject[TaskSpec[Any]]
SEED = 20_000  # away from the small ones that authors try by hand
EXPERT_EPISODES = 20
_ROUNDING = 1e-3  # of the action range: how far a resting pose may lie beyond its limits


@contextlib.contextmanager
def running(subject: TaskSubject) -> Iterator[Task]:
    """The built task, closed at the end."""
    task = require_task(subject.spec.build(subject.config), f"task '{subject.id}'")
    try:
        yield task
    finally:
        task.close()


def contract_needs_no_simulator(subject: TaskSubject) -> None:
    """``contract(config)`` gives the task's contract from the configuration alone."""
    contract = subject.spec.contract(subject.config)
    require(isinstance(contract, TaskContract), f"contract returned {type(contract).__name__}, not a TaskContract")


def record_is_complete(subject: TaskSubject) -> None:
    """Rate, step caps, success rule, reward range and the expert's success are stated and possible."""
    spec = subject.spec
    for name in ("fps", "max_steps", "demo_steps"):
        require(getattr(spec, name) > 0, f"{name} is {getattr(spec, name)}; it must be positive")
    require(len(spec.success_rule.split()) >= 3, f"success_rule {spec.success_rule!r} does not say the rule in words")
    require(0 <= spec.expert_success <= 1, f"expert_success {spec.expert_success} is no share")
    low, high = spec.reward_range
    require(low < high, f"reward_range ({low}, {high}) is empty; the smaller reward comes first")


def satisfies_task(subject: TaskSubject) -> None:
    """It has every member of a task; its action limits, its resting action and its expert's first action fit together."""
    with running(subject) as task:
        task.reset(SEED)
        low, high, still = np.asarray(task.action_low), np.asarray(task.action_high), np.asarray(task.hold())
        shape = (task.contract.action_dim,)
        for name, value in (("action_low", low), ("action_high", high), ("hold()", still)):
            require(value.shape == shape, f"{name} has shape {value.shape}; the contract's action_dim makes it {shape}")
            require(bool(np.isfinite(value).all()), f"{name} is {value.tolist()}; it must be finite")
        require(bool((low < high).all()), f"action_low {low.tolist()} is not below action_high {high.tolist()}")
        slack = _ROUNDING * (high - low)
        inside = bool(((low - slack <= still) & (still <= high + slack)).all())
        require(inside, f"hold() is {still.tolist()}, outside action_low … action_high")
        expert = task.expert(SEED)
        require(callable(getattr(expert, "act", None)), f"the expert, a {type(expert).__name__}, has no act()")
        first = expert.act()
        if first is None:
            raise CheckFailed("the expert's first act() is None: it gives no command at all")
        require(np.shape(first) == shape, f"the expert's action has shape {np.shape(first)}, not {shape}")
        tolerance = np.shape(expert.tolerance()) if isinstance(expert, NoiseTolerant) else shape
        require(tolerance == shape, f"the expert's tolerance() has shape {tolerance}, not {shape}")
        require(not isinstance(task, Located) or bool(task.places()), "places() names no object; leave it out then")
        for name, place in task.places().items() if isinstance(task, Located) else ():
            fine = np.shape(place) == (3,) and bool(np.isfinite(place).all())
            require(
                fine, f"places() has {np.asarray(place).tolist()} for {name!r}; a place is three finite numbers, in m"
            )


def observations_match_the_contract(subject: TaskSubject) -> None:
    """Every camera gives (H, W, 3) uint8 and the state (state_dim,) float32, as the contract says."""
    declared = subject.spec.contract(subject.config)
    with running(subject) as task:
        require(task.contract == declared, f"the built task's contract {task.contract} differs from {declared}")
        task.reset(SEED)
        obs = task.observe()
        expected: dict[str, tuple[tuple[int, ...], str]] = {STATE_KEY: ((declared.state_dim,), "float32")}
        expected |= dict.fromkeys(declared.image_keys, ((*declared.image_size, 3), "uint8"))
        require(set(obs) == set(expected), f"observation keys {sorted(obs)}, expected {sorted(expected)}")
        for key, (shape, dtype) in expected.items():
            value = obs[key]
            require(
                value.shape == shape and value.dtype == dtype,
                f"{key}: {value.shape} {value.dtype}, not {shape} {dtype}",
            )
        require(bool(np.isfinite(obs[STATE_KEY]).all()), "the state is not finite")


def images_show_something(subject: TaskSubject) -> None:
    """No camera looks at a uniform picture, and no two cameras see the same."""
    with running(subject) as task:
        task.reset(SEED)
        obs = task.observe()
        pictures = [obs[key] for key in task.contract.image_keys]
        for key, picture in zip(task.contract.image_keys, pictures, strict=True):
            require(float(picture.std()) > 1, f"{key} is uniform (deviation {picture.std():.2f} of 255)")
        same = any(np.array_equal(a, b) for i, a in enumerate(pictures) for b in pictures[:i])
        require(not same, "two cameras give the same picture")


def steps_give_reward_and_success(subject: TaskSubject) -> None:
    """A step returns a finite reward in the stated range and a bool, and the zero action is valid."""
    with running(subject) as task:
        task.reset(SEED)
        for _ in range(3):
            step = task.step(np.zeros(task.contract.action_dim, np.float32))
            require(isinstance(step, Step), f"step returned {type(step).__name__}, not Step(reward, success)")
            _check_reward(subject.spec, step.reward)
            require(isinstance(step.success, bool), f"success is {step.success!r}, not a bool")


def episodes_follow_their_seed(subject: TaskSubject) -> None:
    """The same seed gives the same start, steps and pictures, also after another episode; another seed does not."""
    with running(subject) as task:
        first, other, again = (_fingerprint(task, seed) for seed in (SEED, SEED + 1, SEED))
    with running(subject) as task:
        fresh = _fingerprint(task, SEED)
    require(first == again, "the same seed gives another episode after a different one was played")
    require(first == fresh, "the same seed gives another episode in a freshly built task")
    require(first != other, "two seeds give the same episode")


def expert_succeeds(subject: TaskSubject) -> None:
    """The demonstrator reaches its stated success within its step cap, and no reward leaves the stated range."""
    with running(subject) as task:
        successes = sum(_demonstrate(subject, task, SEED + i) for i in range(EXPERT_EPISODES))
    share = successes / EXPERT_EPISODES
    stated = subject.spec.expert_success
    require(
        share >= stated, f"the expert succeeds in {successes} of {EXPERT_EPISODES} episodes, stated is {stated:.0%}"
    )


def _demonstrate(subject: TaskSubject, task: Task, seed: int) -> bool:
    task.reset(seed)
    for _, (action, _) in zip(range(subject.spec.demo_steps), expert_commands(task, seed), strict=False):
        step = task.step(action)
        _check_reward(subject.spec, step.reward)
        if step.success:
            return True
    return False


def _check_reward(spec: TaskSpec[Any], reward: float) -> None:
    low, high = spec.reward_range
    require(bool(np.isfinite(reward)), f"the reward is {reward}")
    require(low <= reward <= high, f"the reward {reward} is outside the stated reward_range ({low}, {high})")


def _fingerprint(task: Task, seed: int) -> str:
    """Hash of the first observations and rewards of an episode under a fixed small motion."""
    task.reset(seed)
    digest = hashlib.sha256()
    motion: NDArray[np.float32] = np.linspace(-0.1, 0.1, task.contract.action_dim, dtype=np.float32)
    for _ in range(3):
        obs = task.observe()
        for key in sorted(obs):
            digest.update(np.ascontiguousarray(obs[key]).tobytes())
        digest.update(np.float64(task.step(motion).reward).tobytes())
    return digest.hexdigest()


TASK_CHECKS: tuple[Check[TaskSpec[Any]], ...] = (
    Check(describes_without_torch, builds=False),
    Check(config_rejects_unknown_keys, builds=False),
    Check(config_round_trips, builds=False),
    Check(contract_needs_no_simulator, builds=False),
    Check(record_is_complete, builds=False),
    Check(satisfies_task),
    Check(observations_match_the_contract),
    Check(images_show_something),
    Check(steps_give_reward_and_success),
    Check(episodes_follow_their_seed),
    Check(expert_succeeds, slow=True),
)
