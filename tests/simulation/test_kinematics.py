"""Paths and inverse kinematics of scripted demonstrators."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkzoo.simulation.kinematics import UP, Chain, Pose, Solver, glide, hand_axis, heading, level, rotated, yawed

mujoco = pytest.importorskip("mujoco")
STRAIGHT = np.array([1.0, 0.0, 0.0, 0.0])
ARM = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body><joint name="a" axis="0 0 1" range="-2 2"/><geom size=".01"/>
      <body pos=".3 0 0"><joint name="b" axis="0 1 0" range="-2 2"/><geom size=".01"/>
        <body pos=".3 0 0"><joint name="c" axis="0 1 0" range="-2 2"/><geom size=".01"/>
          <body pos=".1 0 0"><joint name="d" axis="1 0 0" range="-2 2"/><geom size=".01"/>
            <body pos=".1 0 0"><joint name="e" axis="0 1 0" range="-2 2"/><geom size=".01"/>
              <body pos=".1 0 0"><joint name="f" axis="0 0 1" range="-2 2"/><geom size=".01"/>
                <site name="hand" pos=".1 0 0"/></body></body></body></body></body></body>
  </worldbody>
</mujoco>
"""


def random_quaternion(rng: np.random.Generator) -> NDArray[np.float64]:
    q = rng.standard_normal(4)
    return q / np.linalg.norm(q)


def test_a_turn_about_the_vertical_moves_the_x_axis_counter_clockwise() -> None:
    assert heading(hand_axis(yawed(STRAIGHT, 0.7), 0)) == pytest.approx(0.7)


def test_levelling_points_the_hand_down_by_the_smallest_turn() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        quaternion = random_quaternion(rng)
        flat = level(quaternion)
        assert np.allclose(hand_axis(flat, 2), -UP)
        turned = 2 * np.arccos(np.clip(abs(flat @ quaternion), 0, 1))
        assert turned == pytest.approx(np.arccos(np.clip(-hand_axis(quaternion, 2)[2], -1, 1)), abs=1e-6)


def test_a_glide_ends_at_its_goal_and_starts_and_ends_at_rest() -> None:
    rng = np.random.default_rng(1)
    start, goal = (Pose(rng.standard_normal(3), random_quaternion(rng)) for _ in range(2))
    path = glide(start, goal, 50)
    assert np.allclose(path[-1].position, goal.position)
    assert abs(path[-1].quaternion @ goal.quaternion) == pytest.approx(1)
    speeds = [np.linalg.norm(b.position - a.position) for a, b in zip([start, *path], path, strict=False)]
    assert max(speeds[0], speeds[-1]) < 0.1 * max(speeds)


@pytest.mark.parametrize("way", [np.pi, -np.pi])
def test_a_glide_turns_the_way_that_it_is_told(way: float) -> None:
    half_way = glide(Pose(np.zeros(3), STRAIGHT), Pose(np.zeros(3), STRAIGHT), 20, yaw=way)[9]
    assert np.sign(heading(hand_axis(half_way.quaternion, 0))) == np.sign(way)


@pytest.fixture
def solver() -> Solver:
    model = mujoco.MjModel.from_xml_string(ARM)
    data = mujoco.MjData(model)
    data.qpos[:] = [0.1, -0.6, 0.9, 0.2, 0.5, 0.1]
    mujoco.mj_forward(model, data)
    return Solver(model, data, Chain.find(model, "abcdef", "hand"))


def test_the_solver_reaches_poses_near_the_start(solver: Solver) -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        goal = solver.pose(solver.rest + rng.uniform(-0.3, 0.3, 6))
        angles, left = solver.solve(solver.rest, goal, iterations=200)
        assert left < 1e-3
        assert np.allclose(solver.pose(angles).position, goal.position, atol=1e-3)


def test_the_solver_stays_within_the_joint_limits(solver: Solver) -> None:
    angles, left = solver.solve(solver.rest, Pose(np.array([-2.0, 0.0, 3.0]), rotated(STRAIGHT, UP, 3.0)))
    assert left > 0.1
    assert (np.abs(angles) <= 2).all()


def test_following_a_path_starts_from_the_solution_before(solver: Solver) -> None:
    start = solver.pose(solver.rest)
    goal = Pose(start.position + np.array([0.0, 0.05, 0.05]), start.quaternion)
    path = solver.follow(solver.rest, glide(start, goal, 30))
    assert np.abs(np.diff(path, axis=0)).max() < 0.05
    assert np.allclose(solver.pose(path[-1]).position, goal.position, atol=1e-3)
