"""What is measured of an agent while it learns: its error on episodes kept from training, and its depth attention."""

from __future__ import annotations

import torch
from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.errors import UsageError
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.nn.stack import DepthMix, collect_weights, relative_entropy
from trunkzoo.plugin.contract import ACTION_KEY, PAD_KEY
from trunkzoo.training.batches import Batch, Windows

_WINDOWS = 64  # enough to rank checkpoints, few enough to cost less than a step
_NOISE_SEED = 0
_SAMPLES = 2  # for depth entropy


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
    def error(self, agent: Agent) -> float:
        """Mean |sampled − demonstrated| action over valid steps, in units of the normalised range [-1, 1]."""
        batch = self._windows.gather(self.indices)
        noise = Draws(sample_seeds(_NOISE_SEED, self.indices)).normal(*batch[ACTION_KEY].shape[1:])
        was_training = agent.training
        agent.eval()
        sampled = agent.predict({key: value.to(agent.device) for key, value in batch.items()}, noise.to(agent.device))
        agent.train(was_training)
        return float(_distance(agent, sampled, batch))


def _distance(agent: Agent, sampled: Tensor, batch: dict[str, Tensor]) -> Tensor:
    normalize = agent.action_normalizer.normalize
    error = (normalize(sampled) - normalize(batch[ACTION_KEY].to(sampled))).abs().mean(-1)  # (B, P)
    return error[~batch[PAD_KEY].to(error.device)].mean()


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
