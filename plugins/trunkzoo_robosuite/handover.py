"""The demonstrator of two-arm-handover: one arm picks the hammer up and carries it over, the other takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trunkzoo.simulation.kinematics import UP, Pose, Solver, Vector, glide, hand_axis, heading, level, rotated, yawed
from trunkzoo.simulation.script import Script, joint_noise, stack
from trunkzoo_robosuite.arm import CLOSED, JOINTS, OPEN

if TYPE_CHECKING:
    from trunkzoo_robosuite.task import TwoArmTask

APPROACH, DOWN, WAIT, CLOSE, RISE, CARRY, SETTLE = 22, 14, 3, 8, 12, 36, 7
"""Steps until the hammer waits at the meeting point: 102."""
TAKE, GRIP, RELEASE, BACK, KEEP = 16, 10, 6, 14, 8
"""Steps of the second half: 54."""
ABOVE, LIFT, STANDOFF, RETREAT = 0.10, 0.12, 0.10, 0.12
"""Height over the hammer before going down; height to lift; distance before taking and after giving, m."""
MEETING = np.array([0.0, 0.0, 1.08])
"""Where the middle of the handle waits, m."""
GIVE_AT, TAKE_AT = -0.045, 0.045
"""Where the hands hold the handle: distance from its middle towards the free end, m."""
GIVER_TILT, TAKER_TILT = np.radians(20.0), np.radians(40.0)
"""How far each hand leans back towards its own arm at the meeting, rad."""
YAW_RANGE = (-1.8, 3.3)
"""Turns of a hand about the vertical that joint 7 allows from the start posture, rad."""
YAW_COST = 1.4
"""What a radian of turning before the grasp counts beside one after it, for which there are more steps."""
NOISE, CLEAN_FROM = 0.015, 30
"""Deviation (rad) of the joint noise that the way to the hammer survives, and the first step that must be clean."""
AWAY = np.pi / 2
"""Heading from arm 0 to arm 1, rad."""


class HandoverExpert:
    """Plans the first half from the hammer's start pose, and the second from where the hammer then really is."""

    def __init__(self, task: TwoArmTask) -> None:
        self._task = task
        giver, taker = (Solver(task.model, task.data, arm.chain) for arm in task.arms)
        self._solvers = (giver, taker)
        first = _bring(task, *self._solvers)
        self._script = Script(first, joint_noise(first, JOINTS, NOISE, CLEAN_FROM))
        self._last, self._brought = first[-1].astype(np.float64), False

    def tolerance(self) -> NDArray[np.float32]:
        """Deviation of the noise that the next command survives, (16,)."""
        return self._script.tolerance()

    def act(self) -> NDArray[np.float32] | None:
        """The next command (16,), or None at the end."""
        command = self._script.act()
        if command is None and not self._brought:
            self._brought = True
            self._script = Script(_give(self._task, *self._solvers, self._last))
            command = self._script.act()
        return command


def _handle(task: TwoArmTask) -> tuple[Vector, Vector]:
    """Middle of the handle (3,) and the direction (3,) from it to the free end."""
    body = task.data.body("hammer_root")
    return body.xpos.copy(), -body.xmat.reshape(3, 3)[:, 2]


def _bring(task: TwoArmTask, giver: Solver, taker: Solver) -> NDArray[np.float32]:
    """Arm 0 picks the hammer up and carries it to the meeting; arm 1 comes to meet it. Commands (102, 16)."""
    middle, free = _handle(task)
    along = np.array([0.0, np.cos(GIVER_TILT), np.sin(GIVER_TILT)])  # the handle at the meeting, pitched by the tilt
    give = _carrying(giver.pose(giver.rest), middle, free, along)
    rest = taker.pose(taker.rest)
    still = APPROACH + DOWN + WAIT + CLOSE + RISE
    take = [rest] * still + glide(rest, _before(_taking(rest, MEETING, along)), CARRY)
    open_for = APPROACH + DOWN + WAIT
    return stack(
        (giver.follow(giver.rest, _linger(give)), [OPEN] * open_for + [CLOSED] * (still + CARRY + SETTLE - open_for)),
        (taker.follow(taker.rest, _linger(take)), [OPEN] * (still + CARRY + SETTLE)),
    )


def _linger(path: list[Pose]) -> list[Pose]:
    return path + path[-1:] * SETTLE


def _carrying(start: Pose, middle: Vector, free: Vector, along: Vector) -> list[Pose]:
    """The giver's path: over the hammer, down, up, and to the meeting with the free end towards the other arm."""
    yaw, turn = _turns(start, free)
    spot = middle + GIVE_AT * free
    over = Pose(spot + ABOVE * UP, level(start.quaternion))
    facing = yawed(over.quaternion, yaw)
    on, high = Pose(spot, facing), Pose(spot + LIFT * UP, facing)
    tilt_axis = np.array([np.cos(-turn), np.sin(-turn), 0.0])  # becomes the x axis once the hand has turned
    meet = Pose(MEETING + GIVE_AT * along, rotated(facing, tilt_axis, GIVER_TILT))
    return [
        *glide(start, over, APPROACH, yaw),
        *glide(Pose(over.position, facing), on, DOWN),
        *[on] * (WAIT + CLOSE),
        *glide(on, high, RISE),
        *glide(high, meet, CARRY, turn),
    ]


def _turns(start: Pose, free: Vector) -> tuple[float, float]:
    """How far the giver's hand turns to grasp, and then to bring the free end towards the other arm, rad.

    At the end the fingers open across the line between the arms. Of the pairs that the wrist can reach, this is the one
    with the slowest turning: fast, the hand misses the hammer, or the hammer slips in the fingers.
    """
    fingers, to_go = heading(hand_axis(start.quaternion, 0)), AWAY - heading(free)
    pairs = [
        (half * np.pi - fingers - turn, turn)
        for turn in (to_go - 2 * np.pi, to_go, to_go + 2 * np.pi)
        for half in range(-4, 5)
    ]
    low, high = YAW_RANGE
    reachable = [pair for pair in pairs if low < pair[0] < high and low < sum(pair) < high]
    return min(reachable, key=lambda pair: max(YAW_COST * abs(pair[0]), abs(pair[1])))


def _taking(hand: Pose, middle: Vector, free: Vector) -> Pose:
    """The taker's pose at the free end: fingers across the handle, leaning back towards its own arm."""
    across = heading(free) - AWAY
    fingers = heading(hand_axis(hand.quaternion, 0))
    turn = (across - fingers + np.pi / 2) % np.pi - np.pi / 2  # the nearer of the two ways, in [−π/2, π/2)
    flat = yawed(level(hand.quaternion), turn)
    axis = np.array([np.cos(across), np.sin(across), 0.0])
    return Pose(middle + TAKE_AT * free, rotated(flat, axis, -TAKER_TILT))


def _before(pose: Pose) -> Pose:
    """A hand's width back from ``pose``, against the direction that the hand points in."""
    return Pose(pose.position - STANDOFF * hand_axis(pose.quaternion, 2), pose.quaternion)


def _give(task: TwoArmTask, giver: Solver, taker: Solver, last: Vector) -> NDArray[np.float32]:
    """Arm 1 takes the free end, arm 0 lets go and backs off. ``last``: the command before; commands (54, 16)."""
    middle, free = _handle(task)
    hand = taker.pose(last[8:15])
    at_handle = _taking(hand, middle, free)
    take = glide(hand, at_handle, TAKE) + [at_handle] * (GRIP + RELEASE + BACK + KEEP)
    held = giver.pose(last[:7])
    gone = Pose(held.position - RETREAT * hand_axis(held.quaternion, 2), held.quaternion)
    give = [held] * (TAKE + GRIP + RELEASE) + glide(held, gone, BACK) + [gone] * KEEP
    grasped, released = TAKE + 2, TAKE + GRIP  # the taker's hand comes to rest before it closes
    return stack(
        (giver.follow(last[:7], give), [CLOSED] * released + [OPEN] * (len(give) - released)),
        (taker.follow(last[8:15], take), [OPEN] * grasped + [CLOSED] * (len(take) - grasped)),
    )
