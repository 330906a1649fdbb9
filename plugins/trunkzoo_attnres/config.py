"""Settings of the AttnRes trunks: one model for every family; importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from trunkzoo.nn.mixing import MixingName, parse_mixing
from trunkzoo.plugin import Config, ImageSize

SublayerKind = Literal["pair", "conv", "tokens"]
Four = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]

GROUP_CHANNELS = 16  # channels per group of group norm
WINDOWED_STRIDE = 8  # token stages up to this stride attend in windows, coarser ones globally


class AttnResConfig(Config):
    """A four-stage trunk whose residual connections are attention over depth."""

    kinds: tuple[SublayerKind, SublayerKind, SublayerKind, SublayerKind] = Field(
        default=("pair",) * 4,
        description="sublayers per stage: pair = two 3×3 convolutions, conv = one, tokens = attention and MLP",
    )
    depths: Four = Field(default=(2, 2, 2, 2), description="pairs, convolutions or token blocks per stage")
    widths: Four = Field(default=(64, 128, 256, 512), description="channels per stage, multiples of 16")
    output_stride: Literal[32, 16, 8] = Field(
        default=32, description="input pixels per cell of the feature map; below 32, late strides become dilation"
    )
    mixing: MixingName = Field(
        default="full",
        description="full | block(N) | uniform | static | residual: how a sublayer reads those before it",
    )
    query_rank: int = Field(default=0, ge=0, description="rank of the input-dependent part of the queries; 0 = none")
    carry: bool = Field(default=False, description="give each stage a pooled summary of every earlier one as a source")
    heads: Four = Field(default=(2, 4, 8, 16), description="attention heads per stage; read in token stages")
    mlp_ratio: PositiveFloat = Field(default=3.0, description="hidden width of a token MLP / its channels")
    window: PositiveInt = Field(default=8, description="longest side of an attention window, cells, at strides 4 and 8")
    position: Literal["sincos", "none"] = Field(
        default="sincos", description="2-D position code added to a stage's entry"
    )
    image_size: ImageSize | None = Field(default=None, description="when given, the window is checked against the maps")

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels per cell, per stage."""
        return tuple(min(full, self.output_stride) for full in (4, 8, 16, 32))

    @property
    def windowed(self) -> tuple[bool, ...]:
        """Whether a stage attends in windows."""
        pairs = zip(self.kinds, self.strides, strict=True)
        return tuple(kind == "tokens" and stride <= WINDOWED_STRIDE for kind, stride in pairs)

    @model_validator(mode="after")
    def _fits(self) -> AttnResConfig:
        for i, (kind, width, heads) in enumerate(zip(self.kinds, self.widths, self.heads, strict=True), start=1):
            if width % GROUP_CHANNELS:
                raise ValueError(f"width {width} of stage {i} is not a multiple of {GROUP_CHANNELS}, a norm group")
            if kind == "tokens" and width % heads:
                raise ValueError(f"{heads} heads do not divide the width {width} of stage {i}")
        self._mixing_has_effect()
        self._windows_fit()
        return self

    def _mixing_has_effect(self) -> None:
        mixing = parse_mixing(self.mixing)
        sublayers = [d * (2 if kind == "tokens" else 1) for d, kind in zip(self.depths, self.kinds, strict=True)]
        if mixing.kind == "block" and mixing.blocks >= max(sublayers):
            raise ValueError(
                f"mixing {self.mixing!r} groups nothing: the deepest stage has {max(sublayers)} sublayers; use full"
            )
        if self.query_rank and mixing.kind not in ("full", "block"):
            raise ValueError(
                f"query_rank {self.query_rank} has no effect with mixing {self.mixing!r}, which has no queries"
            )

    def _windows_fit(self) -> None:
        if self.image_size is None:
            return
        for i, (stride, windowed) in enumerate(zip(self.strides, self.windowed, strict=True), start=1):
            side = -(-min(self.image_size) // stride)
            if windowed and self.window > side:
                raise ValueError(
                    f"window {self.window} is larger than the map of stage {i}: {side} cells at stride {stride}"
                )
