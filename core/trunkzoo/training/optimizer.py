"""AdamW with decay on weight matrices only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from trunkzoo.training.config import TrainConfig

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
