"""A task of trunkzoo as a gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from trunkzoo.catalogue.part import Configured, Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.plugin import IMAGE_KEY, STATE_KEY, TaskContract, TaskSpec
from trunkzoo.registry.zoo import open_zoo

SEED_BITS, SEED_PARTS = 22, 3
_SEEDS = 1 << 31
Array = NDArray[Any]


class TaskEnv(gymnasium.Env[dict[str, Any], Array]):
    """An episode is a function of its seed, as in ``zoo eval``; it ends at the task's step cap, never before.

    Observations: ``pixels``, an image (H, W, 3) uint8 for every camera, and ``agent_pos``, the state (state_dim,) float32.
    ``info["is_success"]`` says whether the task's rule has held at any step so far.
    """

    def __init__(
        self,
        task: str,
        settings: Mapping[str, Any] | None = None,
        max_steps: int | None = None,
        render_mode: str | None = None,
        tell_seed: bool = False,
    ) -> None:
        """``settings`` are the task's own; ``tell_seed`` adds the episode's seed, for policies whose noise follows it.

        Raises:
            UsageError, ConfigError: no such task, or a setting breaks its schema.
            TaskError: its simulator is not installed.
        """
        found = configured_task(task, settings or {})
        self.task, self.task_description = found.id, found.spec.summary
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": found.spec.fps}
        self.render_mode = render_mode
        self._max_episode_steps = max_steps or found.spec.max_steps
        self._scene = make_task(found)
        self._tell_seed, self._seed = tell_seed, 0
        self._steps, self._solved = 0, False
        self.observation_space = observation_space(self._scene.contract, tell_seed)
        low, high = (np.asarray(end, np.float32) for end in (self._scene.action_low, self._scene.action_high))
        self.action_space = spaces.Box(low, high, dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the episode of ``seed``; without one, of a seed that gymnasium's generator draws."""
        super().reset(seed=seed)
        self._seed = int(self.np_random.integers(_SEEDS)) if seed is None else seed
        self._steps, self._solved = 0, False
        self._scene.reset(self._seed)
        return self._observation(), {"is_success": False}

    def step(self, action: Array) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """One control step; ``action`` (action_dim,) goes to the task as it is."""
        step = self._scene.step(np.asarray(action, np.float32))
        self._steps += 1
        self._solved |= step.success
        over = self._steps >= self._max_episode_steps
        return self._observation(), float(step.reward), False, over, {"is_success": self._solved}

    def render(self) -> Array | None:  # type: ignore[override]  # gymnasium's own type has frames of any kind
        """The first camera's image (H, W, 3); nothing where no render mode was asked for."""
        if self.render_mode is None:
            return None
        return np.asarray(self._scene.observe()[self._scene.contract.image_keys[0]])

    def close(self) -> None:
        """Close the simulator."""
        self._scene.close()

    def _observation(self) -> dict[str, Any]:
        seen = self._scene.observe()
        cameras = self._scene.contract.image_keys
        observation = {
            "pixels": {key.removeprefix(IMAGE_KEY): np.ascontiguousarray(seen[key]) for key in cameras},
            "agent_pos": np.asarray(seen[STATE_KEY], np.float32),
        }
        return {**observation, "episode_seed": parts_of(self._seed)} if self._tell_seed else observation


def configured_task(name: str, settings: Mapping[str, Any]) -> Configured[TaskSpec[Any]]:
    """The record of a task with its settings."""
    return open_zoo().catalogue.configure("task", Part(name=name, config=dict(settings)))


def observation_space(contract: TaskContract, tell_seed: bool) -> spaces.Dict:
    """What :class:`TaskEnv` observes."""
    image = spaces.Box(0, 255, (*contract.image_size, 3), np.uint8)
    parts: dict[str, spaces.Space[Any]] = {
        "pixels": spaces.Dict(dict.fromkeys(contract.cameras, image)),
        "agent_pos": spaces.Box(-np.inf, np.inf, (contract.state_dim,), np.float32),
    }
    if tell_seed:
        parts["episode_seed"] = spaces.Box(0, 2**SEED_BITS, (SEED_PARTS,), np.float32)
    return spaces.Dict(parts)


def parts_of(seed: int) -> NDArray[np.float32]:
    """A seed below 2^66 as three numbers of 22 bits, the lowest first, which float32 holds exactly."""
    return np.array([(seed >> SEED_BITS * i) % (1 << SEED_BITS) for i in range(SEED_PARTS)], np.float32)
