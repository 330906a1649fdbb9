"""gym-aloha's cube transfer as a trunkzoo task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin import Step, TaskContract
from trunkzoo.simulation.gl import prepare_mujoco
from trunkzoo.simulation.kinematics import Chain
from trunkzoo.simulation.scene import Observation, SceneRenderer
from trunkzoo.simulation.script import Script, checked_action
from trunkzoo_aloha.config import ACTION_DIM, TransferCubeConfig, contract
from trunkzoo_aloha.expert import transfer_expert

JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
SUBSTEPS = 10
"""Physics steps of 2 ms per control step."""
FULL_REWARD = 4


class TransferCubeTask:
    """Two ViperX arms facing each other; absolute joint commands at 50 Hz.

    State and action (14,): per arm, left first, 6 joint angles (rad) and the gripper (0 closed … 1 open); commands are
    clipped to the actuators' ranges. Reward per step is gym-aloha's: 1 the right gripper touches the cube, 2 has it off
    the table, 3 the left one touches it, 4 off the table. Success asks for more than the package does, which counts
    the first touch of the left gripper: it is a 4 while the right gripper no longer touches the cube.
    """

    def __init__(self, config: TransferCubeConfig) -> None:
        self.contract: TaskContract = contract(config)
        self._physics, self._rules = _make_physics()
        self.model, self.data = self._physics.model.ptr, self._physics.data.ptr
        self.chains = [
            Chain.find(self.model, [f"vx300s_{side}/{joint}" for joint in JOINTS], f"cali_{side}_site1")
            for side in ("left", "right")
        ]
        self.action_low = np.concatenate([[*chain.low, 0.0] for chain in self.chains]).astype(np.float32)
        self.action_high = np.concatenate([[*chain.high, 1.0] for chain in self.chains]).astype(np.float32)
        self._renderer = SceneRenderer(self.model, self.data, config.image_size)
        self._clock = 0
        self._command = np.zeros(ACTION_DIM, dtype=np.float32)

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed``, which places the cube on 20 × 20 cm."""
        from gym_aloha.tasks.sim import BOX_POSE
        from gym_aloha.utils import sample_box_pose

        BOX_POSE[0] = sample_box_pose(seed)  # the package's way to hand the pose over
        with self._physics.reset_context():
            self._rules.initialize_episode(self._physics)
        self._clock += 1
        self._command = self._state()

    def observe(self) -> Observation:
        """The observation now; images render when read."""
        return Observation(self._state(), self.contract.cameras, self._renderer.image, lambda: self._clock)

    def step(self, action: NDArray[np.float32]) -> Step:
        """Apply ``action`` (14,) for 1/50 s; values beyond the limits are clipped to them.

        Raises:
            TaskError: wrong shape or a value that is not finite.
        """
        self._command = checked_action(action, self.action_low, self.action_high)
        self._rules.before_step(self._command.astype(np.float64), self._physics)
        self._physics.step(SUBSTEPS)
        self._clock += 1
        reward = self._rules.get_reward(self._physics)
        return Step(float(reward), bool(reward == FULL_REWARD) and not self._right_touches())

    def hold(self) -> NDArray[np.float32]:
        """The command that keeps the arms where they were last told to be."""
        return self._command.copy()

    def expert(self, seed: int) -> Script:
        """The scripted demonstrator of the episode just reset; it makes no choices of its own."""
        return transfer_expert(self.model, self.data, self.chains[0], self.chains[1])

    def close(self) -> None:
        """Free the GL context and the simulation."""
        self._renderer.close()
        self._physics.free()

    def _state(self) -> NDArray[np.float32]:
        state: NDArray[np.float32] = self._rules.get_qpos(self._physics).astype(np.float32)
        return state

    def _right_touches(self) -> bool:
        cube = self.model.geom("red_box").id
        fingers = {self.model.geom(f"vx300s_right/10_{side}_gripper_finger").id for side in ("left", "right")}
        return any(cube in pair and fingers & set(pair.tolist()) for pair in self.data.contact.geom)


def _make_physics() -> tuple[Any, Any]:
    """The scene and its rules, without the package's environment, which draws three large images in every step."""
    prepare_mujoco()
    from dm_control import mujoco
    from gym_aloha.constants import ASSETS_DIR
    from gym_aloha.tasks.sim import TransferCubeTask as Rules

    return mujoco.Physics.from_xml_path(str(ASSETS_DIR / "bimanual_viperx_transfer_cube.xml")), Rules()
