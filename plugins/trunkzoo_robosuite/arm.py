"""One Panda arm of a two-arm scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from trunkzoo.simulation.kinematics import Chain, Pose, Vector

JOINTS = 7
OPEN, CLOSED = -1.0, 1.0
"""Commands of the gripper."""


class Arm:
    """Arm ``index``: its joints, its hand and its fingers.

    The hand is the point between the fingertips. Its z axis points out of the palm; the fingers open along its x axis.
    """

    def __init__(self, model: Any, index: int) -> None:
        joints = [f"robot{index}_joint{j}" for j in range(1, JOINTS + 1)]
        self.chain = Chain.find(model, joints, f"gripper{index}_right_grip_site")
        fingers = [model.joint(f"gripper{index}_right_finger_joint{j}") for j in (1, 2)]
        self._fingers = np.array([int(finger.qposadr[0]) for finger in fingers])

    def angles(self, data: Any) -> Vector:
        """Joint angles (7,), rad."""
        return self.chain.angles(data)

    def gap(self, data: Any) -> float:
        """Distance between the fingers, m."""
        left, right = data.qpos[self._fingers]
        return float(left - right)

    def pose(self, data: Any) -> Pose:
        """The hand's pose."""
        return self.chain.pose(data)
