"""Policy noise by episode, where the environment says which episode it plays."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin import Contract

SEED = "observation.episode_seed"
"""(B, 3) float: the seed of each environment's episode in parts of 22 bits, the lowest first, which float32 holds exactly."""
BITS = 22


class EpisodeNoise:
    """Start noise of each chunk as ``zoo eval`` draws it: a hash of (noise seed, episode seed, number of the chunk)."""

    def __init__(self, base: int, contract: Contract) -> None:
        self._base, self._shape = base, (contract.pred_horizon, contract.action_dim)
        self._chunk = 0

    def reset(self) -> None:
        """The next chunk is the first of its episode."""
        self._chunk = 0

    def next(self, batch: Mapping[str, Tensor]) -> Tensor | None:
        """Noise (B, pred_horizon, action_dim) of the next chunk; None where no seeds are told."""
        if SEED not in batch:
            return None
        parts = batch[SEED].detach().cpu().to(torch.int64)  # (B, 3)
        seeds = sum(parts[:, i] << (BITS * i) for i in range(parts.shape[1]))
        noise = Draws(sample_seeds(self._base, seeds, self._chunk)).normal(*self._shape)
        self._chunk += 1
        return noise
