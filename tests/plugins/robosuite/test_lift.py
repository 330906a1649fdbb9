"""The two-arm-lift task: its contract, its determinism, its rules and its demonstrator."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkzoo.errors import TaskError
from trunkzoo.plugin import NoiseTolerant, Step
from trunkzoo_robosuite import TWO_ARM_LIFT
from trunkzoo_robosuite.config import LiftConfig

if TYPE_CHECKING:
    from trunkzoo_robosuite.task import TwoArmTask

pytestmark = pytest.mark.skipif(find_spec("robosuite") is None, reason="needs trunkzoo[robosuite]")


@pytest.fixture(scope="module")
def task() -> Iterator[TwoArmTask]:
    task = TWO_ARM_LIFT.build(LiftConfig())
    yield task
    task.close()


def play(task: TwoArmTask, seed: int, choice: int | None = None) -> list[Step]:
    """Run the demonstrator from the reset of ``seed``."""
    task.reset(seed)
    expert = task.expert(seed if choice is None else choice)
    steps = []
    while (action := expert.act()) is not None:
        steps.append(task.step(action))
    return steps


def fingerprint(task: TwoArmTask, seed: int) -> str:
    """Hash of everything observed and earned in the first steps of a demonstration."""
    task.reset(seed)
    expert, digest = task.expert(seed), sha256()
    for _ in range(5):
        action = expert.act()
        assert action is not None
        step = task.step(action)
        for value in (action, *task.observe().values(), np.float64(step.reward)):
            digest.update(value.tobytes())
    return digest.hexdigest()


def test_observation_has_the_shapes_of_the_contract(task: TwoArmTask) -> None:
    task.reset(0)
    observation = task.observe()
    assert list(observation) == [*task.contract.image_keys, "observation.state"]
    for key in task.contract.image_keys:
        assert (observation[key].shape, observation[key].dtype) == ((96, 96, 3), np.dtype(np.uint8))
    state = observation["observation.state"]
    assert (state.shape, state.dtype) == ((16,), np.dtype(np.float32))


def test_the_contract_of_the_record_is_that_of_the_task(task: TwoArmTask) -> None:
    assert TWO_ARM_LIFT.contract(LiftConfig()) == task.contract


def test_cameras_show_different_and_not_empty_images(task: TwoArmTask) -> None:
    task.reset(0)
    observation = task.observe()
    images = [observation[key] for key in task.contract.image_keys]
    assert all(image.std() > 20 for image in images)
    assert not np.array_equal(images[1], images[2])


def test_the_agentview_is_upright(task: TwoArmTask) -> None:
    """The grey wall is above the light table."""
    task.reset(0)
    image = task.observe()["observation.images.agentview"]
    assert image[-10:].mean() > image[:10].mean() + 50


def test_an_episode_is_a_function_of_its_seed(task: TwoArmTask) -> None:
    first = fingerprint(task, 3)
    play(task, 4)
    assert fingerprint(task, 3) == first


def test_different_seeds_place_the_pot_differently(task: TwoArmTask) -> None:
    task.reset(0)
    here = task.data.body("pot_root").xpos.copy()
    task.reset(1)
    assert np.abs(task.data.body("pot_root").xpos - here).max() > 1e-3


def test_the_demonstrator_lifts_the_pot_level(task: TwoArmTask) -> None:
    steps = play(task, 0)
    assert len(steps) == TWO_ARM_LIFT.demo_steps
    assert any(step.success for step in steps)


def test_success_is_exactly_a_reward_of_one(task: TwoArmTask) -> None:
    steps = play(task, 1)
    assert all(step.success == (step.reward >= 1.0) for step in steps)
    assert all(0.0 <= step.reward <= 1.0 for step in steps)


def test_a_tilted_pot_is_no_success(task: TwoArmTask) -> None:
    """The simulator's own check counts height only; the reward also asks for level."""
    play(task, 0)
    joint = task.data.joint("pot_joint0")
    joint.qpos[3:] = [np.cos(0.4), np.sin(0.4), 0.0, 0.0]  # 46 degrees about x
    task.scene.sim.forward()
    assert task.scene._check_success()
    assert task.scene.reward() < 1.0


def test_holding_keeps_the_arms_still(task: TwoArmTask) -> None:
    task.reset(0)
    before = task.observe()["observation.state"]
    for _ in range(20):
        task.step(task.hold())
    assert np.abs(task.observe()["observation.state"] - before).max() < 2e-3


def test_commands_beyond_the_limits_are_clipped(task: TwoArmTask) -> None:
    states = []
    for excess in (0.0, 5.0):
        task.reset(0)
        for _ in range(3):
            task.step(task.action_high + np.float32(excess))
        states.append(task.observe()["observation.state"])
    assert np.array_equal(states[0], states[1])


@pytest.mark.parametrize("action", [np.zeros(14, np.float32), np.full(16, np.nan, np.float32)])
def test_a_malformed_action_is_refused(task: TwoArmTask, action: NDArray[np.float32]) -> None:
    task.reset(0)
    with pytest.raises(TaskError, match="16 finite numbers"):
        task.step(action)


def test_the_demonstrator_stays_within_the_action_bounds(task: TwoArmTask) -> None:
    task.reset(2)
    expert = task.expert(2)
    while (action := expert.act()) is not None:
        assert (task.action_low <= action).all()
        assert (action <= task.action_high).all()


def test_noise_is_tolerated_on_the_way_down_only_and_never_by_the_grippers(task: TwoArmTask) -> None:
    task.reset(2)
    expert, tolerances = task.expert(2), []
    assert isinstance(expert, NoiseTolerant)
    while True:
        tolerances.append(expert.tolerance())
        if expert.act() is None:
            break
    table = np.array(tolerances)
    assert (table[:30, :7] > 0).all()
    assert (table[36:] == 0).all()
    assert (table[:, [7, 15]] == 0).all()


@pytest.mark.slow
def test_two_modes_turn_the_hands_both_ways_from_the_same_start() -> None:
    task = TWO_ARM_LIFT.build(LiftConfig.model_validate({"expert": {"modes": 2}}))
    turns = set()
    for choice in range(6):
        steps = play(task, 0, choice)
        turns.add(round(float(task.observe()["observation.state"][6]), 1))
        assert any(step.success for step in steps)
    task.close()
    assert len(turns) == 2


@pytest.mark.slow
def test_the_demonstrator_reaches_its_stated_success(task: TwoArmTask) -> None:
    successes = [any(step.success for step in play(task, seed)) for seed in range(20)]
    assert np.mean(successes) >= TWO_ARM_LIFT.expert_success
