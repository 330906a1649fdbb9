"""The moving average of an agent's weights, and which of the two acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from trunkzoo.registry.train_config import EmaConfig
from trunkzoo.training.optimizer import Ema, trainable


class Averaged:
    """Live and averaged weights of a module: one set lies in the module, the other beside it."""

    def __init__(self, module: nn.Module, config: EmaConfig) -> None:
        self._module, self._ema = module, Ema(module, config) if config.enabled else None
        self._acting = False

    @property
    def updates(self) -> int:
        """How often the average has moved."""
        return self._ema.updates if self._ema else 0

    def update(self) -> None:
        """Move the average towards the live weights, which lie in the module."""
        if self._ema:
            self.act(False)
            self._ema.update()

    def act(self, averaged: bool) -> None:
        """Put the average into the module, or the live weights."""
        if self._ema is None or self._acting == averaged:
            return
        self._acting = averaged
        self._exchange(self._ema)

    @torch.no_grad()
    def _exchange(self, ema: Ema) -> None:
        for name, parameter in trainable(self._module).items():
            beside = ema.averages[name].clone()
            ema.averages[name].copy_(parameter)
            parameter.copy_(beside)

    def acting(self) -> dict[str, Tensor]:
        """The state dict to act with."""
        state = dict(self._module.state_dict())
        return state if self._ema is None or self._acting else self._ema.weights(self._module)

    def live(self) -> dict[str, Tensor]:
        """The live weights by name; nothing where there is no average, since they act then."""
        if self._ema is None:
            return {}
        beside = self._ema.averages if self._acting else trainable(self._module)
        return {name: tensor.detach() for name, tensor in beside.items()}

    @torch.no_grad()
    def restore(self, live: Mapping[str, Tensor], updates: int) -> None:
        """The module holds the weights that act: take them as the average, and ``live`` as what training goes on with."""
        if self._ema is None:
            return
        self._acting = False
        for name, parameter in trainable(self._module).items():
            self._ema.averages[name].copy_(parameter)
            if name in live:
                parameter.copy_(live[name])
        self._ema.updates = updates

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Do to the weights beside the module what was done to those in it."""
        if self._ema:
            self._ema.averages = {name: fn(tensor) for name, tensor in self._ema.averages.items()}
