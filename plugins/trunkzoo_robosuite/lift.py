"""The demonstrator of two-arm-lift: both hands straight down onto the handles, close, lift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trunkzoo.simulation.kinematics import UP, Pose, Solver, Vector, glide, hand_axis, heading, level, yawed
from trunkzoo.simulation.script import Script, joint_noise, stack
from trunkzoo_robosuite.arm import CLOSED, JOINTS, OPEN
from trunkzoo_robosuite.simulator import JOINTS_HIGH, JOINTS_LOW

if TYPE_CHECKING:
    from trunkzoo_robosuite.config import LiftExpertConfig
    from trunkzoo_robosuite.task import TwoArmTask

ABOVE, LIFT = 0.09, 0.20
"""Height over the handle before going down, and height to lift, m."""
APPROACH, DOWN, WAIT, CLOSE, RISE, KEEP = 22, 14, 3, 8, 20, 8
"""Steps of each part: 75 in all."""
MARGIN = 0.15
"""Distance to the joint limits that the longer way round must keep, rad."""
NOISE, CLEAN_FROM = 0.015, 34
"""Deviation (rad) of the joint noise that the way down survives, and the first step that must be clean."""
_COIN = 1  # keeps the coin apart from the scene, which draws from the bare seed


def lift_expert(task: TwoArmTask, config: LiftExpertConfig, seed: int) -> Script:
    """Plan the whole demonstration from the pot's true pose. In two-mode demonstrations ``seed`` throws the coin."""
    plan = _plan(task, _yaws(task, 1.0))
    if config.modes == 2 and np.random.default_rng((seed, _COIN)).integers(2):
        other = _plan(task, _yaws(task, -1.0))
        plan = other if _margin(other) > MARGIN else plan
    return Script(plan, joint_noise(plan, JOINTS, NOISE, CLEAN_FROM))


def _yaws(task: TwoArmTask, sign: float) -> tuple[float, float]:
    """How far each hand turns, counter-clockwise for ``sign`` +1, until its fingers straddle the handle's bar, rad.

    The fingers open along the hand's x axis, the bars run across the pot's y axis, and a hand fits either way round:
    so there are two solutions, π apart. Both hands turn the same way.
    """
    across = task.data.body("pot_root").xmat.reshape(3, 3)[:, 1]
    fingers = [hand_axis(arm.pose(task.data).quaternion, 0) for arm in task.arms]
    turns = [(heading(across) - heading(axis)) % np.pi for axis in fingers]  # in [0, π)
    return (turns[0], turns[1]) if sign > 0 else (turns[0] - np.pi, turns[1] - np.pi)


def _margin(commands: NDArray[np.float32]) -> float:
    """The smallest distance to a joint limit over a plan of both arms (steps, 16), rad."""
    angles = np.concatenate([commands[:, :7], commands[:, 8:15]])
    return float(np.minimum(angles - JOINTS_LOW, JOINTS_HIGH - angles).min())


def _plan(task: TwoArmTask, yaws: tuple[float, float]) -> NDArray[np.float32]:
    arms = []
    for index, (arm, yaw) in enumerate(zip(task.arms, yaws, strict=True)):
        solver = Solver(task.model, task.data, arm.chain)
        path = _path(arm.pose(task.data), task.data.site(f"pot_handle{index}").xpos.copy(), yaw)
        grips = [OPEN] * (APPROACH + DOWN + WAIT) + [CLOSED] * (CLOSE + RISE + KEEP)
        arms.append((solver.follow(solver.rest, path), grips))
    return stack(*arms)


def _path(start: Pose, handle: Vector, yaw: float) -> list[Pose]:
    """The hand's pose at each step, from ``start`` over the ``handle`` (3,) down to it and up again."""
    over = Pose(handle + ABOVE * UP, level(start.quaternion))
    facing = yawed(over.quaternion, yaw)
    on, high = Pose(handle, facing), Pose(handle + LIFT * UP, facing)
    return [
        *glide(start, over, APPROACH, yaw),
        *glide(Pose(over.position, facing), on, DOWN),
        *[on] * (WAIT + CLOSE),
        *glide(on, high, RISE),
        *[high] * KEEP,
    ]
