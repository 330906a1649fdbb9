"""The transfer-cube task: its contract, its rule, its determinism and its demonstrator."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trunkzoo.errors import TaskError
from trunkzoo.plugin import Step
from trunkzoo_aloha import TRANSFER_CUBE
from trunkzoo_aloha.config import TransferCubeConfig

if TYPE_CHECKING:
    from trunkzoo_aloha.task import TransferCubeTask

pytestmark = pytest.mark.skipif(find_spec("gym_aloha") is None, reason="needs trunkzoo[aloha]")


@pytest.fixture(scope="module")
def task() -> Iterator[TransferCubeTask]:
    task = TRANSFER_CUBE.build(TransferCubeConfig())
    yield task
    task.close()


def play(task: TransferCubeTask, seed: int) -> list[Step]:
    task.reset(seed)
    expert = task.expert(seed)
    steps = []
    while (action := expert.act()) is not None:
        assert (task.action_low <= action).all()
        assert (action <= task.action_high).all()
        steps.append(task.step(action))
    return steps


def test_observation_has_the_shapes_of_the_contract(task: TransferCubeTask) -> None:
    task.reset(0)
    observation = task.observe()
    images = [observation[key] for key in task.contract.image_keys]
    assert [(image.shape, image.dtype) for image in images] == [((96, 96, 3), np.dtype(np.uint8))] * 3
    state = observation["observation.state"]
    assert (state.shape, state.dtype) == ((14,), np.dtype(np.float32))


def test_the_top_camera_sees_the_cube(task: TransferCubeTask) -> None:
    task.reset(0)
    image = task.observe()["observation.images.top"].astype(int)
    assert ((image[..., 0] > 150) & (image[..., 1] < 80)).sum() >= 4


def test_the_demonstrator_passes_the_cube_on(task: TransferCubeTask) -> None:
    steps = play(task, 0)
    assert len(steps) == TRANSFER_CUBE.demo_steps
    assert steps[-1].success
    assert {step.reward for step in steps} <= {0.0, 1.0, 2.0, 3.0, 4.0}


def test_the_first_touch_of_the_left_gripper_is_no_success_yet(task: TransferCubeTask) -> None:
    steps = play(task, 0)
    first_touch = next(i for i, step in enumerate(steps) if step.reward == 4)
    assert not steps[first_touch].success


def test_an_episode_is_a_function_of_its_seed(task: TransferCubeTask) -> None:
    first = play(task, 3), task.observe()["observation.images.top"]
    play(task, 4)
    again = play(task, 3), task.observe()["observation.images.top"]
    assert first[0] == again[0]
    assert np.array_equal(first[1], again[1])


def test_different_seeds_place_the_cube_differently(task: TransferCubeTask) -> None:
    places = []
    for seed in (0, 1):
        task.reset(seed)
        places.append(task.data.body("box").xpos.copy())
    assert np.abs(places[0] - places[1]).max() > 0.01


def test_holding_keeps_the_arms_still(task: TransferCubeTask) -> None:
    task.reset(0)
    before = task.observe()["observation.state"]
    for _ in range(20):
        task.step(task.hold())
    assert np.abs(task.observe()["observation.state"] - before).max() < 0.05


def test_a_malformed_action_is_refused(task: TransferCubeTask) -> None:
    task.reset(0)
    with pytest.raises(TaskError, match="14 finite numbers"):
        task.step(np.zeros(16, np.float32))


@pytest.mark.slow
def test_the_demonstrator_reaches_its_stated_success(task: TransferCubeTask) -> None:
    successes = [any(step.success for step in play(task, seed)) for seed in range(20)]
    assert np.mean(successes) >= TRANSFER_CUBE.expert_success
