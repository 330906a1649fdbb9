"""Observations on which a graph is held against its agent: frames of the agent's own task, or drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.data.synthetic import episode
from trunkzoo.errors import ZooError
from trunkzoo.plugin.contract import STATE_KEY
from trunkzoo.plugin.protocols import Task

Window = dict[str, list[NDArray[Any]]]
"""Key → the frames of one window, images (H, W, 3) uint8 and states (state_dim,)."""


def windows_of(agent: Agent, catalogue: Catalogue, count: int) -> tuple[dict[str, Tensor], str]:
    """``count`` windows as :meth:`Agent.predict` takes them, and in words what they are.

    Real frames where the agent's task can run here: the first of an episode each, while the robot holds still. Otherwise
    discs over gradients, and states of the range that training saw.
    """
    part = agent.recipe.task
    if part is not None:
        try:
            task = make_task(catalogue.configure("task", part))
        except ZooError:  # not installed here, or no screen to render to
            pass
        else:
            try:
                frames = [_played(task, seed, agent.contract.obs_horizon) for seed in range(count)]
            finally:
                task.close()
            return _stack(frames), f"frames of {part.name}"
    return _stack([_drawn(agent, seed) for seed in range(count)]), "drawn discs, states of the trained range"


def _played(task: Task, seed: int, horizon: int) -> Window:
    task.reset(seed)
    frames: Window = {key: [] for key in (*task.contract.image_keys, STATE_KEY)}
    for step in range(horizon):
        if step:
            task.step(task.hold())
        seen = task.observe()
        for key, values in frames.items():
            values.append(np.array(seen[key]))
    return frames


def _drawn(agent: Agent, seed: int) -> Window:
    c, normalizer, rng = agent.contract, agent.state_normalizer, np.random.default_rng(seed)
    images = episode(c, c.obs_horizon, rng)
    offset, scale = normalizer.offset.cpu().numpy(), normalizer.scale.cpu().numpy()
    states = offset + scale * rng.uniform(-1, 1, (c.obs_horizon, c.state_dim))
    return {key: list(images[key]) for key in c.image_keys} | {STATE_KEY: list(states.astype(np.float32))}


def _stack(windows: Sequence[Window]) -> dict[str, Tensor]:
    stacked = {key: np.stack([np.stack(window[key]) for window in windows]) for key in windows[0]}  # (B, T, …)
    return {
        key: torch.from_numpy(values.astype(np.float32) if key == STATE_KEY else np.moveaxis(values, -1, 2).copy())
        for key, values in stacked.items()
    }
