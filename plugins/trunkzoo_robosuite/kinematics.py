"""Poses, paths and inverse kinematics for one Panda arm, in numpy on a scratch copy of the simulation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trunkzoo_robosuite.simulator import JOINTS_HIGH, JOINTS_LOW

Vector = NDArray[np.float64]
UP = np.array([0.0, 0.0, 1.0])
DAMPING = 0.02
"""λ of the damped least squares, in metres and radians per unit of joint motion."""
POSTURE_GAIN = 0.05
"""Pull of the redundant joint towards the start posture, per iteration."""
ITERATIONS = 12
TOLERANCE = 1e-4


class Pose(NamedTuple):
    """A hand pose in world coordinates: position (3,) in m and unit quaternion (4,), w first.

    The hand's z axis points out of the palm, between the fingers; the fingers open along its x axis.
    """

    position: Vector
    quaternion: Vector


class Arm:
    """Where arm ``index`` of the scene keeps its joints, and its hand."""

    def __init__(self, model: Any, index: int) -> None:
        joints = [model.joint(f"robot{index}_joint{j}") for j in range(1, 8)]
        fingers = [model.joint(f"gripper{index}_right_finger_joint{j}") for j in (1, 2)]
        self.qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self.dof = np.array([int(joint.dofadr[0]) for joint in joints])
        self.fingers = np.array([int(joint.qposadr[0]) for joint in fingers])
        self.site = int(model.site(f"gripper{index}_right_grip_site").id)

    def angles(self, data: Any) -> Vector:
        """Joint angles (7,), rad."""
        angles: Vector = data.qpos[self.qpos]
        return angles

    def gap(self, data: Any) -> float:
        """Distance between the fingers, m."""
        left, right = data.qpos[self.fingers]
        return float(left - right)

    def pose(self, data: Any) -> Pose:
        """The hand's pose (of the point between the fingertips)."""
        return Pose(data.site_xpos[self.site].copy(), to_quaternion(data.site_xmat[self.site]))


def to_quaternion(matrix: Vector) -> Vector:
    """Unit quaternion (4,), w first, of a rotation matrix (3, 3) or (9,)."""
    import mujoco

    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(matrix).reshape(9))
    return quaternion


def rotation_between(goal: Vector, start: Vector) -> Vector:
    """The rotation vector (3,), in the frame of ``start``, that turns ``start`` into ``goal`` the shorter way."""
    import mujoco

    vector = np.zeros(3)
    mujoco.mju_subQuat(vector, goal, start)
    return vector


def turned(quaternion: Vector, vector: Vector) -> Vector:
    """``quaternion`` turned by the rotation vector (3,) given in its own frame."""
    import mujoco

    result = quaternion.copy()
    mujoco.mju_quatIntegrate(result, np.ascontiguousarray(vector), 1.0)
    return result


def rotated(quaternion: Vector, axis: Vector, angle: float) -> Vector:
    """``quaternion`` turned by ``angle`` (rad) about the unit ``axis`` (3,) of the world."""
    import mujoco

    rotation, result = np.zeros(4), np.zeros(4)
    mujoco.mju_axisAngle2Quat(rotation, axis, angle)
    mujoco.mju_mulQuat(result, rotation, quaternion)
    return result


def yawed(quaternion: Vector, angle: float) -> Vector:
    """``quaternion`` turned by ``angle`` (rad) about the world's vertical."""
    return rotated(quaternion, UP, angle)


def level(quaternion: Vector) -> Vector:
    """``quaternion`` tilted the shortest way so that the hand points straight down."""
    palm = hand_axis(quaternion, 2)
    axis = np.cross(palm, -UP)  # its norm is the sine of the angle to the vertical
    sine = float(np.linalg.norm(axis))
    return quaternion.copy() if sine < 1e-9 else rotated(quaternion, axis / sine, np.arctan2(sine, -palm[2]))


def hand_axis(quaternion: Vector, index: int) -> Vector:
    """World direction (3,) of the hand's x, y or z axis."""
    import mujoco

    direction = np.zeros(3)
    mujoco.mju_rotVecQuat(direction, np.eye(3)[index], quaternion)
    return direction


def heading(direction: Vector) -> float:
    """Angle of ``direction`` (3,) in the horizontal plane, counter-clockwise from x, rad."""
    return float(np.arctan2(direction[1], direction[0]))


def margin(commands: NDArray[np.float32]) -> float:
    """The smallest distance to a joint limit over a plan of both arms (steps, 16), rad."""
    angles = np.concatenate([commands[:, :7], commands[:, 8:15]])
    return float(np.minimum(angles - JOINTS_LOW, JOINTS_HIGH - angles).min())


def glide(start: Pose, goal: Pose, steps: int, yaw: float = 0.0) -> list[Pose]:
    """``steps`` poses from after ``start`` to ``goal``, starting and ending at rest (smoothstep 3s² − 2s³).

    On the way the hand also turns by ``yaw`` (rad) about the vertical, beyond the orientation of ``goal``: this is how
    a path says which way round to turn, where the shortest way would be a coin toss.
    """
    turn = rotation_between(goal.quaternion, start.quaternion)
    shares = [s * s * (3 - 2 * s) for s in np.arange(1, steps + 1) / steps]
    return [
        Pose(
            start.position + s * (goal.position - start.position),
            yawed(turned(start.quaternion, s * turn), s * yaw),
        )
        for s in shares
    ]


class Solver:
    """Inverse kinematics of one arm: joint angles that bring the hand to a pose (damped least squares).

    Δq = Jᵀ(JJᵀ + λ²I)⁻¹ e with e the pose error, plus a pull of the redundant motion towards the start posture.
    """

    def __init__(self, model: Any, data: Any, arm: Arm) -> None:
        """The scratch simulation starts from ``data``, whose posture becomes the one that is preferred."""
        import mujoco

        self._model, self._arm = model, arm
        self._scratch = mujoco.MjData(model)
        self._scratch.qpos[:] = data.qpos
        self.rest = arm.angles(data).copy()

    def follow(self, angles: Vector, path: Iterable[Pose]) -> list[Vector]:
        """Joint angles for each pose of ``path``, each solved from the one before, beginning at ``angles`` (7,)."""
        found = []
        for pose in path:
            angles, _ = self.solve(angles, pose)
            found.append(angles)
        return found

    def pose(self, angles: Vector) -> Pose:
        """The hand's pose at ``angles`` (7,)."""
        import mujoco

        self._scratch.qpos[self._arm.qpos] = angles
        mujoco.mj_kinematics(self._model, self._scratch)
        return self._arm.pose(self._scratch)

    def solve(self, angles: Vector, pose: Pose, iterations: int = ITERATIONS) -> tuple[Vector, float]:
        """Joint angles (7,) near ``angles`` whose hand pose is ``pose``, and the norm of the error that is left."""
        angles = angles.copy()
        for _ in range(iterations):
            error, jacobian = self._error(angles, pose)
            if np.linalg.norm(error) < TOLERANCE:
                break
            damped = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * np.eye(6))  # (7, 6)
            null = np.eye(7) - damped @ jacobian
            angles += damped @ error + null @ (POSTURE_GAIN * (self.rest - angles))
            np.clip(angles, JOINTS_LOW, JOINTS_HIGH, out=angles)
        return angles, float(np.linalg.norm(self._error(angles, pose)[0]))

    def _error(self, angles: Vector, pose: Pose) -> tuple[Vector, Vector]:
        """Pose error (6,) [m, rad] in world axes at ``angles`` and the hand's Jacobian (6, 7)."""
        import mujoco

        model, data, arm = self._model, self._scratch, self._arm
        hand = self.pose(angles)
        mujoco.mj_comPos(model, data)
        jacobian = np.zeros((6, model.nv))
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], arm.site)
        turn = data.site_xmat[arm.site].reshape(3, 3) @ rotation_between(pose.quaternion, hand.quaternion)
        return np.concatenate([pose.position - hand.position, turn]), jacobian[:, arm.dof]
