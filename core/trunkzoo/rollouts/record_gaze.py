"""Record where an agent looks during one episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trunkzoo.agent.augment import centre_crop
from trunkzoo.agent.encoder import CameraEncoder
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.nn.stack import collect_weights
from trunkzoo.plugin.contract import IMAGE_KEY, STATE_KEY
from trunkzoo.plugin.protocols import Step, Task
from trunkzoo.rollouts.episode import run_episode
from trunkzoo.rollouts.gaze import Gaze
from trunkzoo.rollouts.job import Job
from trunkzoo.rollouts.policies import AgentPolicy, make_agent_policy

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent
    from trunkzoo.catalogue.catalogue import Catalogue

GAZE_STEPS = 6


def record_gaze(policy: AgentPolicy, task: Task, seed: int, max_steps: int) -> Gaze:
    """Play the episode of ``seed`` with an agent and record its keypoints and depth weights at evenly spaced steps."""
    recorder = GazeRecorder(max_steps)
    run_episode(task, policy, seed, max_steps, recorders=[recorder])
    return gaze_of(cast("Agent", policy.agent), recorder.steps, recorder.frames)


class GazeRecorder:
    """Keeps the observations of a few steps, evenly spaced over the episode."""

    def __init__(self, max_steps: int) -> None:
        self._wanted = {round(i * (max_steps - 1) / (GAZE_STEPS - 1)) for i in range(GAZE_STEPS)}
        self._step = 0
        self.steps: list[int] = []
        self.frames: list[dict[str, NDArray[Any]]] = []

    def start(self, task: Task) -> None:
        """The first observation is one of them."""
        self._keep(task)

    def add(self, task: Task, step: Step, new_chunk: bool) -> None:
        """Keep this step if it is one of the wanted ones."""
        self._step += 1
        if self._step in self._wanted:
            self._keep(task)

    def _keep(self, task: Task) -> None:
        self.steps.append(self._step)
        self.frames.append({key: np.array(value) for key, value in task.observe().items() if key != STATE_KEY})


@torch.no_grad()
def gaze_of(agent: Agent, steps: list[int], frames: list[dict[str, NDArray[Any]]]) -> Gaze:
    """Keypoints and depth weights of observations, each a mapping of image keys to (H, W, 3) uint8."""
    encoder, images, keypoints = agent.encoder, [], []
    weights: dict[str, list[Tensor]] = {}
    maps: dict[str, NDArray[np.float32]] = {}
    for camera, key in enumerate(agent.contract.image_keys):
        pixels = torch.from_numpy(np.stack([frame[key] for frame in frames])).permute(0, 3, 1, 2)  # (T, 3, H, W)
        seen = centre_crop(pixels, encoder.config.crop) if encoder.config.crop else pixels
        prepared = encoder.prepare(pixels.to(agent.device), None, 1)
        found = collect_weights(encoder.trunk(camera), prepared)
        pool = cast(CameraEncoder, encoder.cameras[camera]).pool
        keypoints.append(pool(encoder.trunk(camera)(prepared)).cpu().numpy())  # (T, K, 2)
        images.append(seen.permute(0, 2, 3, 1).numpy())  # (T, H, W, 3)
        for name, alpha in found.items():  # (sources, T, h, w)
            weights.setdefault(name, []).append(alpha.float().flatten(1).mean(1).cpu())
        if camera == 0:
            maps = {name: found[name].float().cpu().numpy() for name in _last_reads(list(found))}
    cameras = tuple(key.removeprefix(IMAGE_KEY) for key in agent.contract.image_keys)
    means = {name: torch.stack(values).mean(0).numpy() for name, values in weights.items()}
    return Gaze(cameras, tuple(steps), np.stack(images), np.stack(keypoints).astype(np.float32), means, maps)


def _last_reads(names: list[str]) -> list[str]:
    """The last read of each mixing module, its output to the next stage."""
    return list({name.rpartition(".")[0]: name for name in names}.values())


def gaze_of_job(job: Job, seed: int, catalogue: Catalogue) -> Gaze:
    """:func:`record_gaze` with the agent and the task of an evaluation, in this process."""
    task = make_task(catalogue.configure("task", job.task))
    try:
        return record_gaze(make_agent_policy(job, catalogue), task, seed, job.max_steps)
    finally:
        task.close()
