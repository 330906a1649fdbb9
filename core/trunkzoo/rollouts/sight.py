"""How exactly an agent sees: a linear read-out of the objects' places from its condition vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.errors import TaskError
from trunkzoo.plugin.protocols import Located, Task
from trunkzoo.rollouts.policies import AgentPolicy
from trunkzoo.statistics.ridge import read_out_error

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent

Coordinates = NDArray[np.float64]
STILL = 1e-6  # m: an object that stays within is the same in every scene, and no sight is needed to know where


class Sight(NamedTuple):
    """Mean distance (m) from the objects' places of what is read from a condition, and of a guess at the mean place."""

    error: float
    guess: float


def measure_sight(policy: AgentPolicy, task: Task, seeds: Sequence[int]) -> Sight | None:
    """How exactly a linear map reads the objects' places from the agent's condition at the start of each episode.

    A linear probe (Alain and Bengio, arXiv 1610.01644), by ridge regression, each scene read by a map fitted to others; the mean
    over objects that move from scene to scene. None where no object does, or the task does not tell places.

    Raises:
        TaskError: a place is not finite, or an object is not in every scene.
    """
    if not isinstance(task, Located):
        return None
    conditions, scenes = [], []
    for seed in seeds:
        with plugin_code("looking at the start of an episode"):
            task.reset(seed)
            scenes.append({name: np.asarray(place, dtype=np.float64) for name, place in task.places().items()})
            conditions.append(_condition(policy, task, seed))
    seen = np.stack(conditions)
    found = [_sight(seen, _places(name, scenes)) for name in scenes[0]]
    moved = [sight for sight in found if sight.guess > STILL]
    return Sight(*(float(np.mean(values)) for values in zip(*moved, strict=True))) if moved else None


@torch.no_grad()
def _condition(policy: AgentPolicy, task: Task, seed: int) -> Coordinates:
    """The condition (cond_dim,) of the first observation, which fills the whole window as at the start of an episode."""
    agent = cast("Agent", policy.agent)
    policy.reset(task, seed)
    frame = {key: value[:, None].to(agent.device) for key, value in policy.look(task).items()}  # (1, 1, …)
    window = {key: value.expand(-1, agent.contract.obs_horizon, *value.shape[2:]) for key, value in frame.items()}
    condition: Coordinates = agent.condition(window)[0, -1].double().cpu().numpy()
    return condition


def _places(name: str, scenes: Sequence[dict[str, Coordinates]]) -> Coordinates:
    """The places (scenes, 3) of one object."""
    if any(scene.keys() != scenes[0].keys() for scene in scenes):
        raise TaskError(
            f"places() tells of {sorted(scenes[0])} in one scene and of others in another; it must tell of all"
        )
    found = np.stack([scene[name] for scene in scenes])
    if not np.isfinite(found).all():
        raise TaskError(
            f"places() has {name!r} at {found[~np.isfinite(found).all(-1)][0].tolist()}; a place must be finite"
        )
    return found


def _sight(seen: Coordinates, places: Coordinates) -> Sight:
    guess = float(np.linalg.norm(places - places.mean(0), axis=1).mean())
    return Sight(read_out_error(seen, places), guess)
