"""Convolutional sublayers and stage entries; each starts with a norm, so that it forgets the scale of its input."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.nn.norms import EPS, rms_normalise
from trunkzoo_attnres.config import GROUP_CHANNELS


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution without bias whose output side is ⌈side / stride⌉; He initialisation over the fan-out, as ResNet."""
    padding = dilation * (kernel // 2)
    module = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return module


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // GROUP_CHANNELS, channels)


def stem(width: int) -> nn.Sequential:
    """ResNet's stem: stride 4."""
    return nn.Sequential(conv(3, width, 7, 2), group_norm(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))


def pair_sublayer(channels: int, dilation: int) -> nn.Sequential:
    """The branch of a pre-norm basic block (He et al., arXiv 1603.05027): norm, relu, conv, twice."""
    return nn.Sequential(group_norm(channels), nn.ReLU(inplace=True), *pair_tail(channels, channels, 1, dilation))


def pair_tail(
    inputs: int, outputs: int, stride: int, dilation: int, first_dilation: int | None = None
) -> nn.Sequential:
    """A basic block's branch behind its first norm and relu."""
    return nn.Sequential(
        conv(inputs, outputs, 3, stride, first_dilation or dilation),
        group_norm(outputs),
        nn.ReLU(inplace=True),
        conv(outputs, outputs, 3, 1, dilation),
    )


def conv_sublayer(channels: int, dilation: int) -> nn.Sequential:
    """One 3×3 convolution: norm, silu, conv."""
    return nn.Sequential(group_norm(channels), nn.SiLU(), conv(channels, channels, 3, 1, dilation))


class PairEntry(nn.Module):
    """ResNet's change of stage: the 1×1 shortcut becomes v_0, the strided branch v_1; both read one norm."""

    def __init__(self, inputs: int, outputs: int, stride: int, first_dilation: int, dilation: int) -> None:
        super().__init__()
        self.norm = group_norm(inputs)
        self.shortcut = conv(inputs, outputs, 1, stride)
        self.branch = pair_tail(inputs, outputs, stride, dilation, first_dilation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.norm(x), inplace=True)  # in place: the norm's output has no other reader
        return self.shortcut(x), self.branch(x)


class Entry(nn.Module):
    """A strided 3×3 convolution behind a norm: its output is v_0."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.norm = group_norm(inputs)
        self.conv = conv(inputs, outputs, 3, stride, dilation)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.conv(F.silu(self.norm(x))),)


class Summary(nn.Module):
    """An earlier stage's read-out, pooled to this stage's map, projected, and RMS-normed so that it starts comparable."""

    def __init__(self, inputs: int, outputs: int, ratio: int) -> None:
        super().__init__()
        self.ratio, self.eps = ratio, EPS
        self.project = conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, self.ratio, ceil_mode=True, count_include_pad=False)  # side ⌈side / ratio⌉
        return rms_normalise(self.project(pooled), dim=1, eps=self.eps)  # (N, outputs, h, w) of unit RMS
