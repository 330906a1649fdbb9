"""A recipe's optimiser and learning rate, as lerobot configures them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from lerobot.optim import LRSchedulerConfig, OptimizerConfig
from torch.optim.lr_scheduler import LambdaLR


@OptimizerConfig.register_subclass("trunkzoo")
@dataclass
class TrunkzooAdamWConfig(OptimizerConfig):
    """Fused AdamW; the policy's groups say what decays, and how fast depth queries learn."""

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 1e-4
    grad_clip_norm: float = 1.0

    def build(self, params: Iterable[Any]) -> torch.optim.AdamW:
        """The optimiser over ``params``."""
        return torch.optim.AdamW(params, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay, fused=True)


@LRSchedulerConfig.register_subclass("trunkzoo")
@dataclass
class TrunkzooSchedulerConfig(LRSchedulerConfig):
    """Linear warm-up, then a cosine over all of lerobot's ``--steps`` to a share of the rate."""

    num_warmup_steps: int | None = 500
    final_lr_fraction: float = 0.0

    def build(self, optimizer: torch.optim.Optimizer, num_training_steps: int) -> LambdaLR:
        """The schedule of a training of ``num_training_steps``."""
        from trunkzoo.registry.train_config import TrainConfig
        from trunkzoo.training.optimizer import learning_rate

        config = TrainConfig(
            steps=num_training_steps,
            warmup_steps=self.num_warmup_steps or 0,
            final_lr_fraction=self.final_lr_fraction,
            lr=1.0,  # a factor of every group's own
        )
        return LambdaLR(optimizer, lambda step: learning_rate(step, config))
