"""Settings of the heads. Defaults are the published values unless a field says otherwise; no torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from trunkzoo.nn.mixing import MixingName
from trunkzoo.plugin import Config


def _changed(config: Config, field: str) -> bool:
    """Whether a field differs from its default; a resolved recipe states every field."""
    return bool(getattr(config, field) != type(config).model_fields[field].default)


class NetworkConfig(Config):
    """The transformer under every head of this plugin. Defaults: 9.5 M parameters at the reference contract."""

    width: PositiveInt = Field(default=384, description="token width d")
    blocks: PositiveInt = Field(default=5, description="pairs of an attention and a SwiGLU sublayer")
    heads: PositiveInt = Field(default=6, description="attention heads; width must be a multiple of 2 × heads")
    mlp_ratio: PositiveFloat = Field(default=8 / 3, description="hidden width of SwiGLU ÷ width, rounded up to 8")
    time_tokens: PositiveInt = Field(default=4, description="tokens that carry the times; iMF uses 4")
    mixing: MixingName = Field(default="full", description="full | block(N) | uniform | static | residual")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> NetworkConfig:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} must be a multiple of 2 × heads = {2 * self.heads}: rotary positions turn pairs"
            )
        return self


class GenerativeConfig(NetworkConfig):
    """What the heads that turn noise into actions share."""

    cond_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of training draws that see no condition")
    draws_per_sample: PositiveInt = Field(default=1, description="independent (noise, time) draws per encoded sample")


class VelocityConfig(GenerativeConfig):
    """What improved MeanFlow and flow matching share: the path, the output form, the weight of a sample."""

    output: Literal["velocity", "sample"] = Field(
        default="velocity",
        description="what the network predicts: the velocity (published), or the clean chunk, read as (z − out) / t",
    )
    min_time: float = Field(default=0.05, gt=0, lt=1, description="smallest t that output = sample divides by")
    error_in: Literal["velocity", "sample"] = Field(
        default="velocity",
        description="where errors are measured: between velocities (published), or × t, between the chunks they imply",
    )
    weight_power: float = Field(default=1.0, ge=0, le=1, description="p of the adaptive weight 1 / (error + c)^p")
    weight_offset: PositiveFloat = Field(default=0.01, description="c of the adaptive weight")

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> VelocityConfig:
        if self.output == "velocity" and _changed(self, "min_time"):
            raise ValueError("min_time only acts with output = 'sample'; leave it out or choose that output")
        if self.weight_power == 0 and _changed(self, "weight_offset"):
            raise ValueError("weight_offset only acts with weight_power > 0; leave it out or raise that power")
        return self


class IntervalTimes(Config):
    """The law of (r, t) in improved MeanFlow (arXiv 2512.02012; official code: half of the draws at r = t)."""

    logit_mean: float = Field(default=-0.4, description="mean of logit t")
    logit_std: PositiveFloat = Field(default=1.0, description="standard deviation of logit t")
    equal_share: float = Field(
        default=0.5, gt=0, le=1, description="share with r = t, of the draws that are not forced"
    )
    one_step_share: float = Field(default=0.0, ge=0, lt=1, description="share forced to (r, t) = (0, 1): where one-step sampling evaluates and the logit-normal law hardly ever is")  # fmt: skip
    span_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share forced to t = 1 with r uniform in (0, 1): one-step sampling is its end",
    )
    noise_share: float = Field(default=0.0, ge=0, lt=1, description="share forced to r = t = 1")

    @property
    def forced(self) -> float:
        """Share of the draws that the logit-normal law does not decide."""
        return self.one_step_share + self.span_share + self.noise_share

    @model_validator(mode="after")
    def _something_is_left(self) -> IntervalTimes:
        if self.forced >= 1:
            raise ValueError(
                f"one_step_share + span_share + noise_share = {self.forced:g} must stay below 1: "
                "without draws at r = t < 1 the average velocity is not determined"
            )
        return self


class IMFConfig(VelocityConfig):
    """Improved MeanFlow (arXiv 2512.02012)."""

    times: IntervalTimes = Field(default_factory=IntervalTimes, description="the law of (r, t)")
    tangent: Literal["v-head", "boundary", "data"] = Field(
        default="v-head",
        description="dz/dt of the JVP: a second output trained as velocity, u(z, t, t), or e − x (original MeanFlow)",
    )
    v_weight: float = Field(default=1.0, gt=0, description="weight of the v-head's own loss")
    tangent_bound: PositiveFloat | None = Field(
        default=1.0,
        description="bound of ‖(t − r) du/dt‖ per sample, in units of ‖dz/dt‖; none = unbounded, as published, with spikes",
    )
    sample_steps: PositiveInt = Field(default=1, description="network evaluations per action chunk")

    @model_validator(mode="after")
    def _v_weight_has_an_effect(self) -> IMFConfig:
        if self.tangent != "v-head" and _changed(self, "v_weight"):
            raise ValueError(f"v_weight only acts with tangent = 'v-head', not {self.tangent!r}; leave it out")
        return self


class InstantTimes(Config):
    """The law of t in flow matching: logit-normal, as the iMF head's, then shifted."""

    logit_mean: float = Field(default=-0.4, description="mean of logit t")
    logit_std: PositiveFloat = Field(default=1.0, description="standard deviation of logit t")
    shift: PositiveFloat = Field(default=1.0, description="t → αt / (1 + (α − 1)t); 4 is reported to serve one step")
    noise_share: float = Field(default=0.0, ge=0, le=1, description="share forced to t = 1")


class FlowConfig(VelocityConfig):
    """Conditional flow matching (arXiv 2210.02747) with Euler steps."""

    weight_power: float = Field(default=0.0, ge=0, le=1, description="p of the adaptive weight; 0 = plain mean square")
    times: InstantTimes = Field(default_factory=InstantTimes, description="the law of t")
    sample_steps: PositiveInt = Field(default=10, description="Euler steps per action chunk")


class DDIMConfig(GenerativeConfig):
    """Denoising diffusion (arXiv 2006.11239) sampled by DDIM (arXiv 2010.02502, η = 0)."""

    prediction: Literal["epsilon", "v", "sample"] = Field(default="epsilon", description="what the network predicts")
    clip_sample: PositiveFloat | None = Field(
        default=1.0, description="bound of the clean chunk at every step; none = no bound"
    )
    train_steps: PositiveInt = Field(default=100, description="noise levels, squared-cosine (arXiv 2102.09672)")
    sample_steps: PositiveInt = Field(default=10, description="network evaluations per action chunk")

    @model_validator(mode="after")
    def _steps_fit(self) -> DDIMConfig:
        if self.sample_steps > self.train_steps:
            raise ValueError(f"sample_steps {self.sample_steps} exceeds train_steps {self.train_steps}")
        if self.prediction == "epsilon" and self.clip_sample is None:
            raise ValueError(
                "prediction = 'epsilon' needs clip_sample: at the noisiest level it divides by 0.0005; "
                "set a bound or predict 'v' or 'sample'"
            )
        return self


class DriftConfig(GenerativeConfig):
    """A drifting model (arXiv 2602.04770) as a policy (arXiv 2604.03540)."""

    draws_per_sample: int = Field(default=8, ge=2, description="samples of an observation that repel one another")
    temperatures: tuple[PositiveFloat, ...] = Field(
        default=(0.3,), min_length=1, description="widths of the kernel, as root mean square per number of a chunk"
    )
    normalised: bool = Field(
        default=False,
        description="distances and fields in units of their means over an observation's samples, near the papers'; "
        "seen with one chunk at a time, an observation then keeps its largest mode only",
    )


class RegressionConfig(NetworkConfig):
    """L1 regression of the chunk on the same network, with zeros in place of noise and constant times."""
