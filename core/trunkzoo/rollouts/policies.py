"""The policy of a job: a trained or exported agent, or what the record of a policy builds; both also on blanked images."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.catalogue.policies import make_policy_of
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.export.record import is_export
from trunkzoo.plugin.contract import IMAGE_KEY
from trunkzoo.plugin.protocols import Policy, Task
from trunkzoo.plugin.records import RolloutContext
from trunkzoo.rollouts.blind import Blindfolded
from trunkzoo.rollouts.job import Job
from trunkzoo.rollouts.named import BLIND, configure_policy

if TYPE_CHECKING:
    from torch import Tensor

    from trunkzoo.agent.acting import Acting
    from trunkzoo.catalogue.catalogue import Catalogue

Action = NDArray[np.float32]


def make_policy(job: Job, catalogue: Catalogue) -> Policy:
    """Build the policy of a job; loads its checkpoint where it has one."""
    if job.record is not None:
        policy = configure_policy(catalogue, job.record)
        scene = contract_of(catalogue.configure("task", job.task))
        built = make_policy_of(policy, RolloutContext(scene, job.noise_seed, job.device))
        return Blindfolded(built) if job.policy == BLIND else built
    if job.checkpoint is not None and is_export(job.checkpoint):
        return make_export_policy(job, job.checkpoint)
    return make_agent_policy(job, catalogue)


def make_export_policy(job: Job, graph: Path) -> AgentPolicy:
    """The exported agent of a job, in onnxruntime on one thread."""
    from trunkzoo.export.acting import load_export

    return AgentPolicy(_as_executed(load_export(graph), job), job.noise_seed, blind=job.policy == BLIND)


def make_agent_policy(job: Job, catalogue: Catalogue) -> AgentPolicy:
    """The agent of a job, on its device; this process computes with one thread from now on."""
    import torch

    from trunkzoo.checkpoint.load import load_agent

    torch.set_num_threads(1)  # the sum of a dot product must not depend on the machine's cores
    torch.backends.cudnn.allow_tf32 = False  # as in training, see float32_products
    if job.checkpoint is None:
        raise ValueError(f"policy {job.policy!r} needs a checkpoint")
    agent = load_agent(job.checkpoint, catalogue).to(job.device).eval()
    blind = job.policy == BLIND or agent.recipe.encoder.blank_images
    return AgentPolicy(_as_executed(agent, job), job.noise_seed, blind)


def _as_executed(agent: Acting, job: Job) -> Acting:
    """The agent, executing as many actions of each chunk as the job says."""
    if job.num_action_steps is not None:
        agent.num_action_steps = job.num_action_steps
    return agent


class AgentPolicy:
    """A trained or exported agent, one environment at a time; ``blind`` blanks every image that it would see."""

    def __init__(self, agent: Acting, noise_seed: int, blind: bool = False) -> None:
        self.agent, self._noise_seed, self._blind = agent, noise_seed, blind
        self._seed = self._chunk = 0
        self.latencies: list[float] = []

    def reset(self, task: Task, seed: int) -> None:
        """Forget the last episode; images are only rendered when the agent reads them."""
        self.agent.reset()
        self._seed, self._chunk, self.latencies = seed, 0, []

    def act(self, task: Task) -> Action:
        """The agent's action; a new chunk starts from its own noise."""
        frame = self.look(task) if self._will_see else {}
        if not self.agent.needs_chunk:
            return _first(self.agent.act(frame))
        noise = chunk_noise(self.agent, self._noise_seed, self._seed, self._chunk)
        start = time.perf_counter()
        action = _first(self.agent.act(frame, noise))
        self.latencies.append(1e3 * (time.perf_counter() - start))
        self._chunk += 1
        return action

    def look(self, task: Task) -> dict[str, Tensor]:
        """The observation now, as the agent gets it: a batch of one."""
        return to_tensors(task.observe(), self.agent.contract.image_size, self._blind)

    def close(self) -> None:
        """An agent holds no process of its own."""

    @property
    def _will_see(self) -> bool:
        return self.agent.needs_observation


def _first(actions: Tensor) -> Action:
    return np.asarray(actions[0].cpu().numpy(), dtype=np.float32)


def chunk_noise(agent: Acting, base: int, seed: int, chunk: int) -> Tensor:
    """Start noise (1, pred_horizon, action_dim) of one chunk: a hash of (base, episode seed, chunk number)."""
    from trunkzoo.nn.draws import Draws, sample_seeds

    seeds = sample_seeds(base, seed, chunk).reshape(1)
    return Draws(seeds).normal(agent.contract.pred_horizon, agent.contract.action_dim)


def to_tensors(obs: Mapping[str, NDArray[Any]], size: tuple[int, int], blind: bool) -> dict[str, Tensor]:
    """One observation as a batch of one: images (1, 3, H, W) uint8, state (1, state_dim). Blind renders nothing."""
    import torch

    frame: dict[str, Tensor] = {}
    for key in obs:
        if not key.startswith(IMAGE_KEY):
            frame[key] = torch.from_numpy(np.asarray(obs[key], dtype=np.float32))[None]
        elif blind:
            frame[key] = torch.zeros(1, 3, *size, dtype=torch.uint8)
        else:
            frame[key] = torch.from_numpy(np.ascontiguousarray(obs[key])).permute(2, 0, 1)[None]
    return frame
