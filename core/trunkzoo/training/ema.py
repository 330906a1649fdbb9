"""Exponential moving average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trunkzoo.registry.train_config import EmaConfig
from trunkzoo.training.optimizer import trainable
from trunkzoo.training.schedule import ema_decay


class Ema:
    """Averages of the trainable parameters. Buffers (batch-norm statistics, normalisers) act as they are live.

    Running statistics are averages already, and averaging them twice would lag behind the weights they belong to.
    """

    def __init__(self, module: nn.Module, config: EmaConfig) -> None:
        self.config = config
        self.updates = 0
        self._live = trainable(module)
        self.averages = {name: parameter.detach().clone() for name, parameter in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the averages towards the live weights."""
        decay = ema_decay(self.updates, self.config)
        torch._foreach_lerp_(list(self.averages.values()), list(self._live.values()), 1 - decay)
        self.updates += 1

    def weights(self, module: nn.Module) -> dict[str, Tensor]:
        """The state dict of ``module`` with averaged parameters."""
        return {**module.state_dict(), **self.averages}
