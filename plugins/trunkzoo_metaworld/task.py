"""A Meta-World environment as a trunkzoo task."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin import Step, TaskContract
from trunkzoo.simulation.gl import prepare_mujoco
from trunkzoo.simulation.scene import Image, Observation, SceneRenderer
from trunkzoo.simulation.script import checked_action
from trunkzoo_metaworld.config import ACTION_DIM, STATE_DIM, MetaworldConfig, contract

AFTER_SUCCESS = 8
"""Steps that a demonstration goes on after the first success, so that its end is learned too."""
NOISE = np.array([0.1, 0.1, 0.1, 0.0], dtype=np.float32)
"""Deviation of the command noise that the demonstrators, which look at every step, survive; never the gripper."""
UPSIDE_DOWN = "corner2"


class MetaworldTask:
    """One Sawyer arm at 80 Hz.

    State (4,): hand position (m) and gripper opening (0 closed … 1 open): the objects and the goal must be seen.
    Action (4,): hand motion, each ±1 for ±1 cm, and the gripper's effort (−1 opens, 1 closes). Reward per step in
    [0, 10], the environment's own; success is the environment's own flag, now.
    """

    def __init__(self, name: str, config: MetaworldConfig) -> None:
        """``name``: of the environment, without its version."""
        self.contract: TaskContract = contract(config)
        self.scene, self._policy = _make_scene(f"{name}-v3")
        self.action_low, self.action_high = -np.ones(ACTION_DIM, np.float32), np.ones(ACTION_DIM, np.float32)
        self._renderer = SceneRenderer(self.scene.model, self.scene.data, config.image_size)
        self._clock = 0
        self._grip = np.float32(-1.0)
        self.full_state: NDArray[np.float64] = np.zeros(39)
        self.succeeded = False

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed``, which places the objects and the goal."""
        self.scene.seed(seed)
        self.full_state, _ = self.scene.reset()
        self._clock += 1
        self._grip, self.succeeded = np.float32(-1.0), False

    def observe(self) -> Mapping[str, NDArray[Any]]:
        """The observation now; images render when read."""
        state = self.full_state[:STATE_DIM].astype(np.float32)
        return Observation(state, self.contract.cameras, self._image, lambda: self._clock)

    def step(self, action: NDArray[np.float32]) -> Step:
        """Apply ``action`` (4,) for 1/80 s; values beyond ±1 are clipped.

        Raises:
            TaskError: wrong shape or a value that is not finite.
        """
        command = checked_action(action, self.action_low, self.action_high)
        self.full_state, reward, _, _, info = self.scene.step(command)
        self._clock += 1
        self._grip = command[3]
        success = bool(info["success"] > 0)
        self.succeeded |= success
        return Step(float(reward), success)

    def hold(self) -> NDArray[np.float32]:
        """No motion, and the gripper as it was last told to be."""
        return np.array([0.0, 0.0, 0.0, self._grip], dtype=np.float32)

    def places(self) -> dict[str, NDArray[np.float64]]:
        """Where the first object and the goal are now, (3,) each, m; what does not move from seed to seed counts nowhere."""
        return {"object": np.array(self.full_state[4:7]), "goal": np.array(self.full_state[36:39])}

    def expert(self, seed: int) -> MetaworldExpert:
        """The package's own scripted policy; it makes no choices of its own."""
        return MetaworldExpert(self, self._policy)

    def close(self) -> None:
        """Free the GL context and the simulation."""
        self._renderer.close()
        self.scene.close()

    def _image(self, camera: str) -> Image:
        image = self._renderer.image(camera)
        return np.ascontiguousarray(image[::-1, ::-1]) if camera == UPSIDE_DOWN else image


class MetaworldExpert:
    """The scripted policy that Meta-World ships for a task: it sees the full state at every step."""

    def __init__(self, task: MetaworldTask, policy: Any) -> None:
        self._task, self._policy = task, policy
        self._left = AFTER_SUCCESS

    def tolerance(self) -> NDArray[np.float32]:
        """Deviation of the command noise that the next step survives, (4,)."""
        return NOISE

    def act(self) -> NDArray[np.float32] | None:
        """The next command (4,), or None once the success is some steps old."""
        if self._task.succeeded:
            self._left -= 1
        if self._left < 0:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that large commands are clipped: so they are, in the next line
            command = self._policy.get_action(self._task.full_state)
        action: NDArray[np.float32] = np.clip(command, -1.0, 1.0).astype(np.float32)
        return action


def _make_scene(name: str) -> tuple[Any, Any]:
    """The environment ``name`` and its scripted policy, set up so that a seed decides the episode.

    ``reset(seed=…)`` of the package ignores its seed, and environments made without a benchmark hide the goal even
    from the scripted policies; both are switched here as the package's own benchmark classes do.
    """
    prepare_mujoco()
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS
    from metaworld.policies import ENV_POLICY_MAP

    scene = ALL_V3_ENVIRONMENTS[name]()
    scene._partially_observable = False
    scene.__dict__.pop("sawyer_observation_space", None)  # cached while the goal was hidden
    scene._freeze_rand_vec, scene._set_task_called, scene.seeded_rand_vec = False, True, True
    scene.max_path_length = 1_000_000  # the step cap is the evaluation's business
    policies: dict[str, Any] = ENV_POLICY_MAP  # annotated as the abstract class, which could not be made
    return scene, policies[name]()
