"""The demonstrator of transfer-cube: the right arm brings the cube to the middle, the left arm takes it there.

The meeting point and the way the grippers cross follow the scripted policy of Zhao et al. 2023 ("Learning Fine-Grained
Bimanual Manipulation with Low-Cost Hardware"); paths and inverse kinematics are our own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trunkzoo.simulation.kinematics import UP, Chain, Pose, Solver, Vector, glide, hand_axis, rotated
from trunkzoo.simulation.script import Script, joint_noise, stack

MEETING = np.array([0.0, 0.5, 0.25])
TOOL = 0.015
"""The fingertips' middle lies this far behind the hand's site, along the hand's x axis, m."""
ABOVE, INSIDE, STANDOFF, RETREAT = 0.08, -0.01, 0.12, 0.10
"""Heights over the cube's middle before and at the grasp; the left arm's waiting distance; the right arm's way back, m."""
PITCH = np.radians(60.0)
"""How steeply the right gripper points down, rad."""
APPROACH, DOWN, CLOSE, CARRY = 50, 25, 15, 50
ENTER, GRIP, RELEASE, BACK, KEEP = 20, 15, 12, 25, 8
"""Steps of each part: 220 in all."""
OPEN, CLOSED = 1.0, 0.0
NOISE, CLEAN_FROM = 0.01, 60
"""Deviation (rad) of the joint noise that the way to the cube survives, and the first step that must be clean."""


def transfer_expert(model: Any, data: Any, left: Chain, right: Chain) -> Script:
    """Plan the whole demonstration from the cube's start pose."""
    cube = data.body("box").xpos.copy()
    base = model.body("vx300s_right").pos
    solvers = [Solver(model, data, chain) for chain in (left, right)]
    poses = [chain.pose(data) for chain in (left, right)]
    plans = (_left(poses[0]), _right(poses[1], cube, base))
    arms = [(solver.follow(solver.rest, path), grips) for solver, (path, grips) in zip(solvers, plans, strict=True)]
    commands = stack(*arms)
    return Script(commands, joint_noise(commands, len(left.qpos), NOISE, CLEAN_FROM))


def _site(tool: Vector, quaternion: Vector) -> Pose:
    """The pose of the hand's site that brings the middle of the fingertips to ``tool`` (3,)."""
    return Pose(tool + TOOL * hand_axis(quaternion, 0), quaternion)


def _right(start: Pose, cube: Vector, base: Vector) -> tuple[list[Pose], list[float]]:
    """Over the cube, down, close, to the meeting, wait until the left gripper holds it, open, back."""
    away = cube - base
    facing = rotated(np.array([1.0, 0.0, 0.0, 0.0]), UP, float(np.arctan2(away[1], away[0])))
    pick = rotated(facing, hand_axis(facing, 1), PITCH)
    give = rotated(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), PITCH)
    over, on, meet = _site(cube + ABOVE * UP, pick), _site(cube + INSIDE * UP, pick), _site(MEETING, give)
    gone = Pose(meet.position + RETREAT * np.array([1.0, 0.0, 0.0]), give)
    path = [
        *glide(start, over, APPROACH),
        *glide(over, on, DOWN),
        *[on] * CLOSE,
        *glide(on, meet, CARRY),
        *[meet] * (ENTER + GRIP + RELEASE),
        *glide(meet, gone, BACK),
        *[gone] * KEEP,
    ]
    closed = CLOSE + CARRY + ENTER + GRIP
    return path, [OPEN] * (APPROACH + DOWN) + [CLOSED] * closed + [OPEN] * (RELEASE + BACK + KEEP)


def _left(start: Pose) -> tuple[list[Pose], list[float]]:
    """Come near while the cube is carried, the gripper rolled a quarter so that the fingers cross, enter, close."""
    rolled = rotated(np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.pi / 2)
    ready = _site(MEETING - STANDOFF * np.array([1.0, 0.0, 0.0]), rolled)
    take = _site(MEETING, rolled)
    early = (APPROACH + DOWN + CLOSE) // 2
    travel = APPROACH + DOWN + CLOSE + CARRY - early
    path = [start] * early + glide(start, ready, travel) + glide(ready, take, ENTER)
    hold = GRIP + RELEASE + BACK + KEEP
    return path + [take] * hold, [OPEN] * len(path) + [CLOSED] * hold
