"""AdamW, its learning rate over the steps, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from trunkzoo.registry.train_config import EmaConfig, TrainConfig

_QUERIES = ("query", "queries")
_UNDECAYED = (*_QUERIES, "embedding", "embeddings", "position", "positions", "token", "tokens")


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that the optimiser moves, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def decayed(module: nn.Module) -> Iterator[str]:
    """Names of the parameters that decay: matrices and kernels.

    Not norms, biases and other vectors, not embedding tables, and nothing whose name ends in query, embedding,
    position or token: those are read by softmax or addition, where a pull to zero means something else.
    """
    for prefix, owner in module.named_modules():
        for name, parameter in owner.named_parameters(prefix, recurse=False):
            matrix = parameter.ndim >= 2 and not isinstance(owner, nn.Embedding)
            if parameter.requires_grad and matrix and not name.endswith(_UNDECAYED):
                yield name


def adamw(module: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Fused AdamW over all trainable parameters (one kernel per group: six times faster than the loop on a CPU)."""
    decaying, parameters = set(decayed(module)), trainable(module)
    scaled = {name for name in parameters if config.query_lr_scale != 1 and name.endswith(_QUERIES)}
    plain = parameters.keys() - decaying - scaled
    groups = [
        _group(parameters, decaying, weight_decay=config.weight_decay),
        _group(parameters, plain, weight_decay=0.0),
    ]
    if scaled:
        groups.append(_group(parameters, scaled, weight_decay=0.0, lr_scale=config.query_lr_scale))
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the learning rate, times its own scale where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def _group(parameters: dict[str, nn.Parameter], names: Iterable[str], **settings: float) -> dict[str, Any]:
    """A parameter group of the optimiser, in the module's order."""
    chosen = set(names)
    return {"params": [p for name, p in parameters.items() if name in chosen], **settings}


def learning_rate(step: int, config: TrainConfig) -> float:
    """Rate of the update that follows ``step`` finished ones: linear warm-up, then a cosine to its end value.

    A run whose ``steps`` are extended on resume follows the cosine of the new length from there on: the rate jumps up
    to what a run of that length would have at this step.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress))))
    return config.lr * warm * (config.final_lr_fraction + (1 - config.final_lr_fraction) * cosine)


def ema_decay(updates: int, config: EmaConfig) -> float:
    """Decay of the average after ``updates`` earlier ones: 0 at first, so that the average starts at live weights."""
    return min(config.decay_max, 1 - math.pow(1 + updates / config.inv_gamma, -config.power))


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
