"""Poses, paths and inverse kinematics for scripted demonstrators, in numpy on a scratch copy of a MuJoCo simulation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
UP = np.array([0.0, 0.0, 1.0])
DAMPING = 0.02
"""λ of the damped least squares, in metres and radians per unit of joint motion."""
POSTURE_GAIN = 0.05
"""Pull of the redundant joint towards the start posture, per iteration."""
ITERATIONS = 12
TOLERANCE = 1e-4


class Pose(NamedTuple):
    """A hand pose in world coordinates: position (3,) in m and unit quaternion (4,), w first."""

    position: Vector
    quaternion: Vector


@dataclass(frozen=True)
class Chain:
    """The joints of one arm of n joints, and the site that is its hand."""

    qpos: NDArray[np.intp]
    """Where the joint angles lie in ``data.qpos``, (n,)."""
    dof: NDArray[np.intp]
    """Their columns in a Jacobian, (n,)."""
    site: int
    low: Vector
    high: Vector
    """Joint limits (n,), rad."""

    @classmethod
    def find(cls, model: Any, joints: Sequence[str], site: str) -> Chain:
        """Look up ``joints``, from the base to the hand, and ``site`` by their names."""
        found = [model.joint(name) for name in joints]
        low, high = np.array([joint.range for joint in found]).T
        qpos = np.array([int(joint.qposadr[0]) for joint in found])
        dof = np.array([int(joint.dofadr[0]) for joint in found])
        return cls(qpos, dof, int(model.site(site).id), low, high)

    def angles(self, data: Any) -> Vector:
        """Joint angles (n,), rad."""
        angles: Vector = data.qpos[self.qpos]
        return angles

    def pose(self, data: Any) -> Pose:
        """The hand's pose."""
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
    """``quaternion`` tilted the shortest way so that the hand's z axis points straight down."""
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

    def __init__(self, model: Any, data: Any, arm: Chain) -> None:
        """The scratch simulation starts from ``data``, whose posture becomes the one that is preferred."""
        import mujoco

        self._model, self._arm = model, arm
        self._scratch = mujoco.MjData(model)
        self._scratch.qpos[:] = data.qpos
        self.rest = arm.angles(data).copy()

    def follow(self, angles: Vector, path: Iterable[Pose]) -> list[Vector]:
        """Joint angles for each pose of ``path``, each solved from the one before, beginning at ``angles`` (n,)."""
        found = []
        for pose in path:
            angles, _ = self.solve(angles, pose)
            found.append(angles)
        return found

    def pose(self, angles: Vector) -> Pose:
        """The hand's pose at ``angles`` (n,)."""
        import mujoco

        self._scratch.qpos[self._arm.qpos] = angles
        mujoco.mj_kinematics(self._model, self._scratch)
        return self._arm.pose(self._scratch)

    def solve(self, angles: Vector, pose: Pose, iterations: int = ITERATIONS) -> tuple[Vector, float]:
        """Joint angles (n,) near ``angles`` whose hand pose is ``pose``, and the norm of the error that is left."""
        angles = angles.copy()
        for _ in range(iterations):
            error, jacobian = self._error(angles, pose)
            if np.linalg.norm(error) < TOLERANCE:
                break
            damped = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * np.eye(6))  # (n, 6)
            null = np.eye(len(angles)) - damped @ jacobian
            angles += damped @ error + null @ (POSTURE_GAIN * (self.rest - angles))
            np.clip(angles, self._arm.low, self._arm.high, out=angles)
        return angles, float(np.linalg.norm(self._error(angles, pose)[0]))

    def _error(self, angles: Vector, pose: Pose) -> tuple[Vector, Vector]:
        """Pose error (6,) [m, rad] in world axes at ``angles`` and the hand's Jacobian (6, n)."""
        import mujoco

        model, data, arm = self._model, self._scratch, self._arm
        hand = self.pose(angles)
        mujoco.mj_comPos(model, data)
        jacobian = np.zeros((6, model.nv))
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], arm.site)
        turn = data.site_xmat[arm.site].reshape(3, 3) @ rotation_between(pose.quaternion, hand.quaternion)
        return np.concatenate([pose.position - hand.position, turn]), jacobian[:, arm.dof]
