"""What is measured of an agent while it learns: its error on episodes kept from training, and its depth attention."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.errors import UsageError
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.nn.stack import DepthMix, collect_weights, relative_entropy
from trunkzoo.plugin.contract import ACTION_KEY, PAD_KEY
from trunkzoo.training.batches import Batch, Windows

_WINDOWS = 64  # enough to rank checkpoints, few enough to cost less than a step
_NOISE_SEEDS = (0, 1)
_SAMPLES = 2  # for depth entropy


class HeldOut(NamedTuple):
    """What an agent does on held-out windows, in units of the normalised range [-1, 1]."""

    error: float
    """Mean |sampled − demonstrated| action over valid steps."""
    spread: float
    """How far actions depend on the noise at one observation: deviation over two draws, mean of all; 0 for regression."""


class Holdout:
    """The windows of the last ``episodes`` episodes: the training loss cannot tell which checkpoint acts best."""

    def __init__(self, windows: Windows, episodes: int) -> None:
        """Choose up to 64 evenly spaced windows of them.

        Raises:
            UsageError: nothing would be left to train on.
        """
        if episodes >= len(windows.episodes):
            raise UsageError(
                f"train.holdout_episodes {episodes} leaves nothing of {len(windows.episodes)} episodes to train on"
            )
        self._windows = windows
        self.first = windows.episodes[-episodes].start
        """Windows before this one are for training."""
        held = len(windows) - self.first
        self.indices = self.first + torch.linspace(0, held - 1, min(held, _WINDOWS)).long()

    @torch.no_grad()
    def measure(self, agent: Agent) -> HeldOut:
        """Sample the agent twice on every window, from two noises."""
        batch = self._windows.gather(self.indices)
        at = {key: value.to(agent.device) for key, value in batch.items()}
        was_training = agent.training
        agent.eval()
        first, second = (agent.predict(at, self._noise(seed, batch).to(agent.device)) for seed in _NOISE_SEEDS)
        agent.train(was_training)
        wanted = batch[ACTION_KEY].to(first)
        return HeldOut(_distance(agent, first, wanted, batch), _distance(agent, first, second, batch) / math.sqrt(2))

    def _noise(self, seed: int, batch: Batch) -> Tensor:
        return Draws(sample_seeds(seed, self.indices)).normal(*batch[ACTION_KEY].shape[1:])


def _distance(agent: Agent, sampled: Tensor, other: Tensor, batch: Batch) -> float:
    """Mean |difference| of two chunks over valid steps, in units of the normalised range [-1, 1]."""
    normalize = agent.action_normalizer.normalize
    error = (normalize(sampled) - normalize(other)).abs().mean(-1)  # (B, P)
    return float(error[~batch[PAD_KEY].to(error.device)].mean())


@torch.no_grad()
def depth_entropy(agent: Agent, batch: Batch) -> dict[str, float]:
    """``depth_entropy`` of the trunks: 1 while depth weights are uniform, 0 when each read picks one source.

    Mean over all reads with more than one source, on two samples; empty for trunks without depth attention. At small
    learning rates the weights stay near uniform for long, and this is the number that shows it.
    """
    encoder = agent.encoder
    if not any(isinstance(module, DepthMix) for module in encoder.modules()):
        return {}
    was_training = agent.training
    agent.eval()  # running statistics must not see these images twice
    entropies = []
    for camera, key in enumerate(agent.contract.image_keys):
        frames = batch[key][:_SAMPLES].flatten(0, 1).to(agent.device)  # (samples · T, 3, H, W)
        weights = collect_weights(encoder.trunk(camera), encoder.prepare(frames, None, 1))
        entropies += [relative_entropy(each) for each in weights.values() if len(each) > 1]
    agent.train(was_training)
    return {"depth_entropy": float(torch.stack(entropies).mean())} if entropies else {}
