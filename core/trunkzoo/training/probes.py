"""Measurements of a network while it learns, on a few samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from trunkzoo.nn.stack import DepthMix, collect_weights, relative_entropy
from trunkzoo.training.batches import Batch

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent

_SAMPLES = 2


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
