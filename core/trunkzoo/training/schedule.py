"""Rates as pure functions of the step, so that nothing of them needs to be stored."""

from __future__ import annotations

import math

from trunkzoo.registry.train_config import EmaConfig, TrainConfig


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
