"""The reach tasks: what cameras show, how the point moves, two modes, and the reference condition."""

from __future__ import annotations

import numpy as np
import pytest

from trunkzoo.errors import TaskError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.collect import demonstrate
from trunkzoo.testing import parametrize_plugin
from trunkzoo_reach import DETOUR
from trunkzoo_reach.config import ReachConfig, contract
from trunkzoo_reach.picture import POINT, TARGET, draw
from trunkzoo_reach.task import WALL, Detour, Reach


@parametrize_plugin("reach")
def test_conformance(check) -> None:  # type: ignore[no-untyped-def]  # as the documentation writes it
    check()


@parametrize_plugin("reach", {"cameras": 3, "history": 8, "image_size": 48})
def test_conformance_of_the_reference_contract(check) -> None:  # type: ignore[no-untyped-def]
    check()


def test_three_cameras_and_eight_places_give_the_reference_condition() -> None:
    offered = contract(ReachConfig(cameras=3, history=8))
    assert len(offered.cameras) * 64 + offered.state_dim == 208


def test_the_state_is_the_last_places_the_newest_first() -> None:
    task = Reach(ReachConfig(history=3))
    task.reset(0)
    places = [task.place]
    for _ in range(4):
        task.step(np.array([1.0, 0.0], np.float32))
        places.append(task.place)
    expected = np.concatenate(places[:1:-1]).astype(np.float32)
    assert np.array_equal(task.observe()["observation.state"], expected)


def test_cameras_show_where_things_are() -> None:
    place, target = np.array([0.25, 0.75]), np.array([0.75, 0.25])
    top = draw("top", 64, place, target, 0.0)
    assert top[16, 16].tolist() == list(POINT)  # up in the world is up in the image
    assert top[48, 48].tolist() == list(TARGET)
    assert np.array_equal(draw("side", 64, place, target, 0.0), np.rot90(top, -1))
    assert draw("near", 64, place, target, 0.0)[32, 32].tolist() == list(POINT)


def test_an_image_cannot_be_read_after_the_next_step() -> None:
    task = Reach(ReachConfig())
    task.reset(0)
    observation = task.observe()
    task.step(task.hold())
    with pytest.raises(TaskError, match="before the next step"):
        observation["observation.images.top"]


def test_the_wall_is_never_entered_and_the_straight_way_leads_into_it() -> None:
    task = Detour(ReachConfig())
    reached = 0
    for seed in range(20):
        task.reset(seed)
        for _ in range(DETOUR.max_steps):
            task.step(np.array([0.5, 0.5], np.float32))
            assert np.linalg.norm(task.place - 0.5) >= WALL - 1e-9
        reached += bool(np.linalg.norm(task.place - task.target) < 0.05)
    assert reached == 0


def test_demonstrations_pass_the_wall_on_both_sides_and_survive_their_noise() -> None:
    task = Detour(ReachConfig())
    shown = [demonstrate(task, seed, 1.0, DETOUR.demo_steps) for seed in range(40)]
    assert sum(demo.first_success is not None for demo in shown) >= 38
    halfway = [
        demo.frames["observation.state"][np.abs(demo.frames["observation.state"][:, 1] - 0.5).argmin()]
        for demo in shown
    ]
    left = sum(bool(place[0] < 0.5) for place in halfway)
    assert 10 <= left <= 30


def test_the_tour_is_two_recipes_on_a_task_without_extras() -> None:
    zoo = open_zoo()
    suite = zoo.registry.suite("tour")
    assert [task.id for arm in suite["arms"] if (task := zoo.recipe(arm).task)] == ["reach/detour"] * 2
    assert DETOUR.requires == ()
