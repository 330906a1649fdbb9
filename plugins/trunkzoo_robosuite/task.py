"""A two-arm scene as a trunkzoo task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin import Expert, Step, TaskContract
from trunkzoo.simulation.scene import Observation, SceneRenderer
from trunkzoo.simulation.script import checked_action
from trunkzoo_robosuite.arm import Arm
from trunkzoo_robosuite.config import ACTION_DIM, TwoArmConfig, contract
from trunkzoo_robosuite.simulator import JOINTS_HIGH, JOINTS_LOW, VISUAL_GROUP, make_scene, reseed

FINGER_GAP = 0.08
"""Distance between the open fingers, m."""


class TwoArmTask:
    """Two Pandas facing each other; absolute joint and gripper commands at 20 Hz.

    State (16,): per arm 7 joint angles (rad) and the finger gap (0 … 0.08 m). Action (16,): per arm 7 joint targets
    (rad, clipped to the joint limits) and the gripper (−1 open … +1 closed). Reward per step in [0, 1]; success is a
    reward of 1, which the scene pays only while its goal holds.
    """

    def __init__(
        self, name: str, thing: str, config: TwoArmConfig, make_expert: Callable[[TwoArmTask, int], Expert]
    ) -> None:
        """``thing``: what the arms handle, of which MuJoCo's body is ``THING_root``."""
        self.contract: TaskContract = contract(config)
        self.scene = make_scene(name)
        self.model, self.data = self.scene.sim.model._model, self.scene.sim.data._data
        self.arms = (Arm(self.model, 0), Arm(self.model, 1))
        self.action_low = np.tile(np.append(JOINTS_LOW, -1.0), 2).astype(np.float32)
        self.action_high = np.tile(np.append(JOINTS_HIGH, 1.0), 2).astype(np.float32)
        self._thing, self._make_expert = thing, make_expert
        self._renderer = SceneRenderer(self.model, self.data, config.image_size, groups=(VISUAL_GROUP,), sites=False)
        self._clock = 0
        self._command = np.zeros(ACTION_DIM, dtype=np.float32)

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed``: object pose and the arms' start posture (deviation 0.02 rad) come from it."""
        reseed(self.scene, seed)
        self.scene.reset()
        self._clock += 1
        self._command = self._posture()

    def observe(self) -> Observation:
        """The observation now; images render when read."""
        state = np.concatenate([[*arm.angles(self.data), arm.gap(self.data)] for arm in self.arms]).astype(np.float32)
        return Observation(state, self.contract.cameras, self._renderer.image, lambda: self._clock)

    def step(self, action: NDArray[np.float32]) -> Step:
        """Apply ``action`` (16,) for 1/20 s; values beyond the limits are clipped to them.

        Raises:
            TaskError: wrong shape or a value that is not finite.
        """
        self._command = checked_action(action, self.action_low, self.action_high)
        _, reward, _, _ = self.scene.step(self._command.astype(np.float64))
        self._clock += 1
        return Step(float(reward), bool(reward >= 1.0))

    def hold(self) -> NDArray[np.float32]:
        """The command that keeps the arms where they were last told to be, grip included."""
        return self._command.copy()

    def places(self) -> dict[str, NDArray[np.float64]]:
        """Where the thing is now, (3,), m."""
        return {self._thing: self.data.body(f"{self._thing}_root").xpos.copy()}

    def expert(self, seed: int) -> Expert:
        """The scripted demonstrator of the episode just reset."""
        return self._make_expert(self, seed)

    def close(self) -> None:
        """Free the GL context and the simulation."""
        self._renderer.close()
        self.scene.close()

    def _posture(self) -> NDArray[np.float32]:
        commands = [[*arm.angles(self.data), 1.0 - 2.0 * arm.gap(self.data) / FINGER_GAP] for arm in self.arms]
        posture: NDArray[np.float32] = np.concatenate(commands).astype(np.float32)
        return posture
