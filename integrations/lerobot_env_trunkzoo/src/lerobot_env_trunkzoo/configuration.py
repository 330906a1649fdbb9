"""``--env.type=trunkzoo --env.task=NAME``: any task of trunkzoo in lerobot's evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.envs import EnvConfig

from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import UsageError
from trunkzoo.plugin import ACTION_KEY, IMAGE_KEY, STATE_KEY
from trunkzoo.registry.assignments import parse_assignments
from trunkzoo_gymnasium.environment import TaskEnv, configured_task


@EnvConfig.register_subclass("trunkzoo")
@dataclass
class TrunkzooEnvConfig(EnvConfig):
    """A task of trunkzoo; features and rate are the task's own."""

    task: str | None = None
    """As in ``zoo list``: ``robosuite/two-arm-lift``, or the short name while it is unique."""
    settings: dict[str, str] = field(default_factory=dict)
    """Of the task: ``{"cameras": "3"}``."""
    max_steps: int | None = None
    """Step cap of an episode; without it, the task's own."""

    def __post_init__(self) -> None:
        if not self.task:
            raise UsageError(
                "--env.task: name a task of trunkzoo, such as robosuite/two-arm-lift; `zoo list` shows all"
            )
        found = configured_task(self.task, self._values())
        contract = contract_of(found)
        self.task, self.fps = found.id, found.spec.fps
        image = PolicyFeature(type=FeatureType.VISUAL, shape=(*contract.image_size, 3))
        self.features = {f"pixels/{camera}": image for camera in contract.cameras}
        self.features["agent_pos"] = PolicyFeature(type=FeatureType.STATE, shape=(contract.state_dim,))
        self.features[ACTION_KEY] = PolicyFeature(type=FeatureType.ACTION, shape=(contract.action_dim,))
        self.features_map = {f"pixels/{camera}": IMAGE_KEY + camera for camera in contract.cameras}
        self.features_map |= {"agent_pos": STATE_KEY, ACTION_KEY: ACTION_KEY}

    @property
    def gym_kwargs(self) -> dict[str, Any]:
        """What :class:`TaskEnv` is built with."""
        settings = {"settings": self._values(), "max_steps": self.max_steps}
        return {"task": self.task, **settings, "render_mode": "rgb_array", "tell_seed": True}

    def create_envs(
        self, n_envs: int, use_async_envs: bool = False
    ) -> dict[str, dict[int, gymnasium.vector.VectorEnv]]:
        """``n_envs`` copies of the task, side by side in processes of their own if asked for."""
        makers = [partial(TaskEnv, **self.gym_kwargs)] * n_envs
        vector: gymnasium.vector.VectorEnv
        if use_async_envs and n_envs > 1:
            vector = AsyncVectorEnv(makers, context="forkserver", autoreset_mode=AutoresetMode.SAME_STEP)
        else:
            vector = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
        return {self.type: {0: vector}}

    def _values(self) -> dict[str, Any]:
        return parse_assignments([f"{key}={value}" for key, value in self.settings.items()], "--env.settings")
