"""How exactly an agent sees: a linear read-out of the objects' places from its condition vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from trunkzoo.plugin.protocols import Located, Task
from trunkzoo.rollouts.policies import AgentPolicy
from trunkzoo.statistics.ridge import read_out_error

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent


@torch.no_grad()
def place_error(policy: AgentPolicy, task: Task, seeds: Sequence[int]) -> float | None:
    """Mean error (m) of the objects' places that a linear map reads from the condition at the start of each episode.

    A linear probe (Alain and Bengio, arXiv 1610.01644), by ridge regression, each scene read by a map fitted to others. Its
    floor is exact sight; an agent that sees nothing has the mean distance of a place from the mean place. None where the task
    does not tell places.
    """
    if not isinstance(task, Located):
        return None
    agent, conditions, places = cast("Agent", policy.agent), [], []
    for seed in seeds:
        task.reset(seed)
        policy.reset(task, seed)
        frame = {key: value[:, None] for key, value in policy.look(task).items()}  # (1, 1, …)
        window = {key: value.expand(-1, agent.contract.obs_horizon, *value.shape[2:]) for key, value in frame.items()}
        conditions.append(agent.condition(window)[0, -1].double().cpu().numpy())  # (cond_dim,)
        places.append(np.stack(list(task.places().values())))  # (objects, 3)
    seen, there = np.stack(conditions), np.stack(places)
    return float(np.mean([read_out_error(seen, there[:, k]) for k in range(there.shape[1])]))
