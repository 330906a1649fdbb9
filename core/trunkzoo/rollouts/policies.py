"""Policies that can be evaluated: the agent, the agent on blanked images, no-op, random, and the expert."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trunkzoo.catalogue.tasks import expert_commands
from trunkzoo.errors import TaskError
from trunkzoo.plugin.contract import IMAGE_KEY
from trunkzoo.plugin.protocols import Task
from trunkzoo.rollouts.job import Job

if TYPE_CHECKING:
    from torch import Tensor

    from trunkzoo.agent.agent import Agent
    from trunkzoo.catalogue.catalogue import Catalogue

Action = NDArray[np.float32]
SPREAD = 0.1  # of the action range, either way: what a random policy moves around the resting action


class Policy(Protocol):
    """What acts in the episodes of a task, one after another."""

    latencies: list[float]
    """Milliseconds of each chunk prediction of this episode, rendering left out."""

    def reset(self, task: Task, seed: int) -> None:
        """Begin the episode of ``seed``; the task has been reset to it."""
        ...

    def act(self, task: Task) -> Action:
        """The action (action_dim,) of the next step."""
        ...


def make_policy(job: Job, catalogue: Catalogue) -> Policy:
    """Build the policy of a job; loads its checkpoint where it has one."""
    if job.policy == "noop":
        return NoopPolicy()
    if job.policy == "random":
        return RandomPolicy(job.noise_seed)
    if job.policy == "expert":
        return ExpertPolicy()
    return make_agent_policy(job, catalogue)


def make_agent_policy(job: Job, catalogue: Catalogue) -> AgentPolicy:
    """The agent of a job, on its device; this process computes with one thread from now on."""
    import torch

    from trunkzoo.checkpoint.load import load_agent

    torch.set_num_threads(1)  # the sum of a dot product must not depend on the machine's cores
    torch.backends.cudnn.allow_tf32 = False  # as in training, see ieee_float32
    if job.checkpoint is None:
        raise ValueError(f"policy {job.policy!r} needs a checkpoint")
    agent = load_agent(job.checkpoint, catalogue).to(job.device).eval()
    return AgentPolicy(agent, job.noise_seed, blind=job.policy == "blind" or agent.recipe.encoder.blank_images)


class AgentPolicy:
    """A trained agent, one environment at a time; ``blind`` blanks every image that it would see."""

    def __init__(self, agent: Agent, noise_seed: int, blind: bool = False) -> None:
        self.agent, self._noise_seed, self._blind = agent, noise_seed, blind
        self._seed = self._chunk = 0
        self.latencies: list[float] = []

    def reset(self, task: Task, seed: int) -> None:
        """Forget the last episode; images are only rendered when the agent reads them."""
        self.agent.reset()
        self._seed, self._chunk, self.latencies = seed, 0, []

    def act(self, task: Task) -> Action:
        """The agent's action; a new chunk starts from its own noise."""
        frame = to_tensors(task.observe(), self.agent.contract.image_size, self._blind) if self._will_see else {}
        if not self.agent.needs_chunk:
            return _first(self.agent.act(frame))
        noise = chunk_noise(self.agent, self._noise_seed, self._seed, self._chunk)
        start = time.perf_counter()
        action = _first(self.agent.act(frame, noise))
        self.latencies.append(1e3 * (time.perf_counter() - start))
        self._chunk += 1
        return action

    @property
    def _will_see(self) -> bool:
        return self.agent.needs_observation


def _first(actions: Tensor) -> Action:
    return np.asarray(actions[0].cpu().numpy(), dtype=np.float32)


def chunk_noise(agent: Agent, base: int, seed: int, chunk: int) -> Tensor:
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


class NoopPolicy:
    """The no-op floor: sends the action that keeps the robot still."""

    def __init__(self) -> None:
        self.latencies: list[float] = []

    def reset(self, task: Task, seed: int) -> None:
        """Take the resting action of this episode's start."""
        self._still = task.hold()

    def act(self, task: Task) -> Action:
        """The resting action."""
        return self._still


class RandomPolicy:
    """The random floor: uniform actions around the resting one, 10 % of the action range either way."""

    def __init__(self, noise_seed: int) -> None:
        self._noise_seed = noise_seed
        self.latencies: list[float] = []

    def reset(self, task: Task, seed: int) -> None:
        """Start the generator of this episode."""
        self._low, self._high, self._centre = task.action_low, task.action_high, task.hold()
        self._random = np.random.default_rng([self._noise_seed, seed])

    def act(self, task: Task) -> Action:
        """A fresh draw, clipped to the action range."""
        reach = SPREAD * (self._high - self._low)
        drawn = self._centre + reach * self._random.uniform(-1, 1, self._centre.shape)
        return np.clip(drawn, self._low, self._high).astype(np.float32)


class ExpertPolicy:
    """The task's scripted demonstrator; after its last command it holds that command."""

    def __init__(self) -> None:
        self.latencies: list[float] = []

    def reset(self, task: Task, seed: int) -> None:
        """Plan the episode just reset."""
        self._commands = (command for command, _ in expert_commands(task, seed))
        self._last: Action | None = None

    def act(self, task: Task) -> Action:
        """The next command, or the last one again."""
        self._last = next(self._commands, self._last)
        if self._last is None:
            raise TaskError("the expert gave no command at all; it must act at least once")
        return self._last
