"""The AttnRes trunk: four stages, each a stack of sublayers read by attention over depth (arXiv 2603.15031).

Inside a stage v_0 is the entry, v_i = f_i(h_i) the raw output of a pre-norm sublayer, and h_l and the stage's read-out
are mixes of the v_i at every pixel. There is no additive stream. A norm stands before each change of stage and at the
output, so with zero queries the trunk equals its `residual` control exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trunkzoo.nn.mixing import parse_mixing
from trunkzoo.nn.stack import DepthMix, collect_weights
from trunkzoo.plugin import IMAGENET
from trunkzoo_attnres.config import AttnResConfig
from trunkzoo_attnres.convolution import (
    Entry,
    PairEntry,
    Summary,
    conv_sublayer,
    group_norm,
    pair_sublayer,
    stem,
)
from trunkzoo_attnres.tokens import AttentionSublayer, mlp_sublayer, position_code


class FirstEntry(nn.Module):
    """The stem's output is v_0 of the first stage."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x,)


class Stage(nn.Module):
    """One resolution: entry, sublayers, and the reads between them. Maps (N, C, h, w) in and out."""

    def __init__(self, config: AttnResConfig, index: int) -> None:
        super().__init__()
        widths, channels = config.widths, config.widths[index]
        self.position = config.kinds[index] == "tokens" and config.position == "sincos"
        self.entry = _entry(config, index)
        given = int(isinstance(self.entry, PairEntry))  # the strided branch comes with the entry
        self.sublayers = _sublayers(config, index, given)
        earlier = range(index if config.carry else 0)
        self.carry = nn.ModuleList(
            Summary(widths[j], channels, config.strides[index] // config.strides[j]) for j in earlier
        )
        self.mix = DepthMix(
            channels,
            given + len(self.sublayers),
            parse_mixing(config.mixing),
            dim=1,
            carried=len(self.carry),
            given=given,
            query_rank=config.query_rank,
            fused=True,
        )

    def forward(self, x: Tensor, earlier: Sequence[Tensor]) -> Tensor:
        """Read-out of the stage from that of the one before; ``earlier`` are all of them, read if carried."""
        entry, *outputs = self.entry(x)  # (N, C, h, w) each: v_0, and v_1 of a pair stage
        if self.position:
            entry = entry + position_code(entry)
        sources = self.mix.start(entry, [summary(r) for summary, r in zip(self.carry, earlier, strict=False)])
        for output in outputs:
            sources.append(output)
        for sublayer in self.sublayers:
            sources.append(sublayer(self.mix(sources)))
        return self.mix(sources)  # type: ignore[no-any-return]  # modules return Any


def _dilations(config: AttnResConfig, index: int) -> tuple[int, int, int]:
    """Stride of a stage's entry, dilation of the entry and of what follows, as in a dilated ResNet."""
    strides, full = (4, *config.strides), (4, 4, 8, 16, 32)
    before, after = full[index] // strides[index], full[index + 1] // strides[index + 1]
    return strides[index + 1] // strides[index], before, after


def _entry(config: AttnResConfig, index: int) -> nn.Module:
    if index == 0:
        return FirstEntry()
    inputs, outputs = config.widths[index - 1], config.widths[index]
    stride, before, after = _dilations(config, index)
    if config.kinds[index] == "pair":
        return PairEntry(inputs, outputs, stride, before, after)
    return Entry(inputs, outputs, stride, before)


def _sublayers(config: AttnResConfig, index: int, given: int) -> nn.ModuleList:
    channels, kind, depth = config.widths[index], config.kinds[index], config.depths[index]
    dilation = _dilations(config, index)[2]
    if kind == "pair":
        return nn.ModuleList(pair_sublayer(channels, dilation) for _ in range(depth - given))
    if kind == "conv":
        return nn.ModuleList(conv_sublayer(channels, dilation) for _ in range(depth))
    window = config.window if config.windowed[index] else None
    block = (
        (AttentionSublayer(channels, config.heads[index], window), mlp_sublayer(channels, config.mlp_ratio))
        for _ in range(depth)
    )
    return nn.ModuleList(sublayer for both in block for sublayer in both)


class AttnResTrunk(nn.Module):
    """Images (N, 3, H, W) → feature map (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)."""

    input_norm = IMAGENET

    def __init__(self, config: AttnResConfig) -> None:
        super().__init__()
        self.out_channels = config.widths[-1]
        self.stride = config.output_stride
        self.stem = stem(config.widths[0])
        self.stages = nn.ModuleList(Stage(config, index) for index in range(4))
        self.norm = group_norm(self.out_channels)
        self.act = {"pair": nn.ReLU, "conv": nn.SiLU, "tokens": nn.Identity}[config.kinds[-1]]()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub leaves the argument out

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images.contiguous(memory_format=torch.channels_last))  # (N, widths[0], H/4, W/4)
        readouts: list[Tensor] = []
        for stage in self.stages:
            x = stage(x, readouts)  # (N, widths[i], H/strides[i], W/strides[i])
            readouts.append(x)
        return self.act(self.norm(x))  # type: ignore[no-any-return]  # modules return Any

    def depth_weights(self, images: Tensor) -> dict[str, Tensor]:
        """α of every read, by its name (``stages.2.mix.3``): (sources, N, h, w), summing to one over the sources."""
        return collect_weights(self, images)
