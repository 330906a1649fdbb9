"""L1 regression of the chunk: the baseline that wins where demonstrations have one mode."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trunkzoo.plugin import Contract, Draws
from trunkzoo_imf.config import RegressionConfig
from trunkzoo_imf.network import ChunkTransformer
from trunkzoo_imf.objective import prepare


class RegressionHead(nn.Module):
    """The network of the other heads with zeros for noise and constant times, trained on |error|."""

    def __init__(self, config: RegressionConfig, contract: Contract) -> None:
        super().__init__()
        self.config = config
        self.network = ChunkTransformer(config, contract)

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        samples = prepare(cond, actions, valid, draws)
        error = (self._predict(samples.cond, samples.actions) - samples.actions).abs() * valid[..., None]  # (B, H, A)
        l1 = error.detach().sum() / (valid.sum() * actions.shape[-1]).clamp_min(1)
        return {"loss": error.mean(), "l1": l1}

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        """The chunk; of ``noise`` only shape and dtype matter."""
        return self._predict(cond, noise)

    def _predict(self, cond: Tensor, like: Tensor) -> Tensor:
        zeros = like.new_zeros(like.shape[0])  # times (B,): the network has them, regression does not
        chunk: Tensor = self.network(torch.zeros_like(like), zeros, zeros, cond)[0]
        return chunk.to(like.dtype)
