"""Settings of a training run; importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from trunkzoo.plugin.config import Config


class EmaConfig(Config):
    """Exponential moving average of the weights: decay(t) = 1 − (1 + t / inv_gamma)^−power, at most decay_max."""

    enabled: bool = Field(default=True, description="act with averaged weights instead of the live ones")
    decay_max: float = Field(default=0.9999, ge=0, lt=1, description="largest decay per optimiser step")
    power: PositiveFloat = Field(default=0.75, description="how fast the decay approaches 1")
    inv_gamma: PositiveFloat = Field(default=1.0, description="optimiser steps after which the decay starts to grow")


class TrainConfig(Config):
    """How an agent is trained. One step is one optimiser step on ``batch_size`` samples, however they are split."""

    steps: PositiveInt = Field(default=100_000, description="optimiser steps of the whole run")
    batch_size: PositiveInt = Field(
        default=64, le=1 << 24, description="samples per optimiser step, over all processes and parts"
    )
    accumulate: PositiveInt = Field(
        default=1, description="parts that a batch is split into to save memory; batch norm sees one at a time"
    )
    lr: PositiveFloat = Field(default=1e-4, description="peak learning rate of AdamW")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="AdamW's moment decays, each in [0, 1)")
    query_lr_scale: PositiveFloat = Field(
        default=1.0,
        description="learning rate of the depth queries in units of lr; at few channels they hardly move at 1",
    )
    weight_decay: NonNegativeFloat = Field(
        default=1e-4, description="decoupled decay of weight matrices; never of norms, biases, queries and embeddings"
    )
    warmup_steps: NonNegativeInt = Field(default=500, description="steps of linear warm-up from 0")
    final_lr_fraction: float = Field(default=0.0, ge=0, le=1, description="where the cosine ends, as a share of lr")
    clip_norm: NonNegativeFloat = Field(default=1.0, description="largest gradient norm; 0 switches clipping off")
    ema: EmaConfig = Field(default=EmaConfig(), description="average of the weights that act")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        default="fp32",
        description="fp32 is IEEE single; tf32 rounds the factors of products on GPUs that can, which is several times "
        "faster; bf16 runs the forward under autocast",
    )
    channels_last: bool = Field(default=True, description="lay image weights out as NHWC, which CPUs and GPUs prefer")
    compile: bool = Field(default=False, description="run the agent's forward through torch.compile")
    checkpoint_every: PositiveInt = Field(default=5_000, description="steps between checkpoints")
    keep: NonNegativeInt = Field(default=3, description="newest checkpoints kept, beside the best one; 0 keeps all")
    holdout_episodes: NonNegativeInt = Field(
        default=0,
        description="last episodes kept from training; their action error, not the training loss, decides which is best",
    )
    log_every: PositiveInt = Field(default=50, description="steps per line of metrics.jsonl")
    workers: NonNegativeInt = Field(
        default=1, le=4096, description="threads that gather batches ahead; no result depends on it"
    )
    skip_nonfinite: NonNegativeInt = Field(
        default=0, description="steps with a non-finite loss to skip before stopping"
    )

    @model_validator(mode="after")
    def _values_fit(self) -> TrainConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} does not divide into accumulate = {self.accumulate} parts")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas} must both lie in [0, 1)")
        return self
