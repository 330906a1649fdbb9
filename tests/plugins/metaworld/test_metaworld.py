"""The Meta-World tasks: their contract, their determinism and their demonstrators."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trunkzoo.errors import TaskError
from trunkzoo.plugin import Step
from trunkzoo_metaworld import TASKS
from trunkzoo_metaworld.config import MetaworldConfig

if TYPE_CHECKING:
    from trunkzoo_metaworld.task import MetaworldTask

pytestmark = pytest.mark.skipif(find_spec("metaworld") is None, reason="needs trunkzoo[metaworld]")
SCRIPT = Path(__file__).parents[3] / "benchmarks" / "metaworld_floors.py"
VERIFIED = ("push", "pick-place", "coffee-button", "button-press-topdown", "assembly", "peg-insert-side")


def build(name: str) -> MetaworldTask:
    task: MetaworldTask = TASKS[name].build(MetaworldConfig())
    return task


@pytest.fixture(scope="module")
def push() -> Iterator[MetaworldTask]:
    task = build("push")
    yield task
    task.close()


def play(task: MetaworldTask, seed: int, cap: int) -> list[Step]:
    task.reset(seed)
    expert = task.expert(seed)
    steps: list[Step] = []
    while (action := expert.act()) is not None and len(steps) < cap:
        steps.append(task.step(action))
    return steps


def test_every_environment_of_the_package_is_a_task() -> None:
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    assert {f"{name}-v3" for name in TASKS} == set(ALL_V3_ENVIRONMENTS)


def test_observation_has_the_shapes_of_the_contract(push: MetaworldTask) -> None:
    push.reset(0)
    observation = push.observe()
    images = [observation[key] for key in push.contract.image_keys]
    assert [(image.shape, image.dtype) for image in images] == [((96, 96, 3), np.dtype(np.uint8))] * 2
    state = observation["observation.state"]
    assert (state.shape, state.dtype) == ((4,), np.dtype(np.float32))


def test_the_state_does_not_tell_where_the_object_is(push: MetaworldTask) -> None:
    """Two episodes start with the puck elsewhere, but with the same state: the images must be used."""
    states, pucks = [], []
    for seed in (0, 1):
        push.reset(seed)
        states.append(push.observe()["observation.state"])
        pucks.append(push.full_state[4:7])
    assert np.abs(states[0] - states[1]).max() < 1e-3
    assert np.abs(pucks[0] - pucks[1]).max() > 0.01


def test_an_episode_is_a_function_of_its_seed(push: MetaworldTask) -> None:
    first = play(push, 3, 40), push.observe()["observation.images.corner2"]
    play(push, 4, 40)
    again = play(push, 3, 40), push.observe()["observation.images.corner2"]
    assert first[0] == again[0]
    assert np.array_equal(first[1], again[1])


def test_a_freshly_made_task_has_the_same_episodes(push: MetaworldTask) -> None:
    other = build("push")
    assert play(other, 5, 200) == play(push, 5, 200)
    other.close()


def test_the_demonstration_goes_on_for_eight_steps_after_the_success(push: MetaworldTask) -> None:
    steps = play(push, 0, 200)
    first = next(i for i, step in enumerate(steps) if step.success)
    assert len(steps) - first - 1 == 8


def test_rewards_lie_in_their_bounds(push: MetaworldTask) -> None:
    assert all(0.0 <= step.reward <= 10.0 for step in play(push, 1, 200))


def test_holding_keeps_the_hand_within_a_centimetre(push: MetaworldTask) -> None:
    """Not stiller: the package's reset ends before the hand has come to rest."""
    push.reset(0)
    before = push.observe()["observation.state"]
    for _ in range(30):
        push.step(push.hold())
    assert np.abs(push.observe()["observation.state"] - before).max() < 1e-2


def test_holding_keeps_the_grip(push: MetaworldTask) -> None:
    push.reset(0)
    push.step(np.array([0.3, 0.0, 0.0, 0.7], np.float32))
    assert np.array_equal(push.hold(), np.array([0.0, 0.0, 0.0, 0.7], np.float32))


def test_a_malformed_action_is_refused(push: MetaworldTask) -> None:
    push.reset(0)
    with pytest.raises(TaskError, match="4 finite numbers"):
        push.step(np.full(4, np.inf, np.float32))


@pytest.fixture(scope="module")
def floors() -> ModuleType:
    """The script that measures the blind and the full-state floor."""
    spec = spec_from_file_location("metaworld_floors", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.fixture(scope="module")
def shown(floors: ModuleType) -> Iterator[tuple[Any, Any]]:
    """The push task as numbers, and three demonstrations of it."""
    task = floors.Numbers("push", MetaworldConfig())
    yield task, floors.demonstrations(task, "push", count=3, seed=0)
    task.close()


def test_a_floors_window_has_the_newest_observation_and_the_actions_from_it_on(floors: ModuleType) -> None:
    steps = np.arange(20.0)[:, None]
    seen, chunk, real = floors.windows({"state": steps, "action": -steps}, "state")
    assert seen[[0, 1, 19], :, 0].tolist() == [[0, 0], [0, 1], [18, 19]]
    assert chunk[3, :, 0].tolist() == [-step for step in range(3, 19)]
    assert (chunk[19] == -19).all()
    assert real.sum(axis=1).tolist() == [min(16, 20 - step) for step in range(20)]


def test_only_the_full_state_policy_knows_where_the_puck_is(floors: ModuleType, shown: tuple[Any, Any]) -> None:
    """Two episodes begin with the same hand and the puck elsewhere: how much does the first command differ?"""
    task, demos = shown
    differs = {}
    for view, key in floors.VIEWS.items():
        policy = floors.ChunkPolicy(floors.train(demos, key, steps=60, seed=0), key)
        first = []
        for seed in (0, 1):
            task.reset(seed)
            policy.reset(task, seed)
            first.append(policy.act(task))
        differs[view] = np.abs(first[0] - first[1]).max()
    assert differs["blind"] < 1e-3
    assert differs["full state"] > 1e-2


def test_a_floors_training_is_a_function_of_its_seed(floors: ModuleType, shown: tuple[Any, Any]) -> None:
    models = [floors.train(shown[1], floors.FULL_KEY, steps=5, seed=seed).net[0].weight for seed in (0, 0, 1)]
    assert models[0].equal(models[1])
    assert not models[0].equal(models[2])


def test_floors_are_measured_on_fresh_episodes_beside_the_expert(floors: ModuleType) -> None:
    solved = floors.measure("push", demos=1, steps=5, episodes=2, seed=1)
    assert {policy: len(outcomes) for policy, outcomes in solved.items()} == {"expert": 2, "full state": 2, "blind": 2}
    assert all(solved["expert"])
    assert not any(solved["blind"])  # five steps teach nobody to push
    assert "2/2" in floors.row("push", solved)


@pytest.mark.slow
@pytest.mark.parametrize("name", VERIFIED)
def test_the_demonstrator_reaches_its_stated_success(name: str) -> None:
    task, spec = build(name), TASKS[name]
    successes = [any(step.success for step in play(task, seed, spec.demo_steps)) for seed in range(20)]
    task.close()
    assert np.mean(successes) >= spec.expert_success
