"""ResNet-18/34/50 without the classifier (He et al., arXiv 1512.03385), module names as in torchvision.

Bottlenecks carry their stride on the 3×3 convolution (v1.5). An output stride below 32 turns the strides of the last
stages into dilation as ``replace_stride_with_dilation`` does: a stage's first block keeps the dilation before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from torch import Tensor, nn

from trunkzoo.plugin import IMAGENET
from trunkzoo_resnet.config import GROUP_CHANNELS, ResNetConfig

Norm = Callable[[int], nn.Module]


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that always uses its running statistics and never trains."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> FrozenBatchNorm2d:
        """Stay in evaluation mode, whatever the trunk is told."""
        super().train(False)
        return self


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // GROUP_CHANNELS, channels)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution without bias whose output side is ⌈side / stride⌉."""
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)


class BasicBlock(nn.Module):
    """relu(x + f(x)) with two 3×3 convolutions in f."""

    expansion: ClassVar[int] = 1

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = conv(inputs, planes, 3, stride, dilation)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv(planes, planes, 3, 1, dilation)
        self.bn2 = norm(planes)
        self.downsample = shortcut(inputs, planes, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)  # type: ignore[no-any-return]  # modules return Any


class Bottleneck(nn.Module):
    """relu(x + f(x)) with 1×1, 3×3 (strided) and 1×1 convolutions in f."""

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, norm: Norm) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = conv(inputs, planes, 1)
        self.bn1 = norm(planes)
        self.conv2 = conv(planes, planes, 3, stride, dilation)
        self.bn2 = norm(planes)
        self.conv3 = conv(planes, outputs, 1)
        self.bn3 = norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, outputs, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)  # type: ignore[no-any-return]  # modules return Any


Block = type[BasicBlock] | type[Bottleneck]
LAYOUTS: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


def shortcut(inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Sequential | None:
    """The projection of a block that changes the shape, or None."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs))


def stage(block: Block, inputs: int, planes: int, count: int, plan: tuple[int, int, int], norm: Norm) -> nn.Sequential:
    """``count`` blocks; ``plan`` = stride and dilation of the first, dilation of the others."""
    stride, first, dilation = plan
    outputs = planes * block.expansion
    blocks = [block(inputs, planes, stride, first, norm)]
    blocks += [block(outputs, planes, 1, dilation, norm) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def dilation_plan(output_stride: int) -> list[tuple[int, int, int]]:
    """Per stage: (stride and dilation of the first block, dilation of the others)."""
    plan, reached, dilation = [], 4, 1
    for stride in (1, 2, 2, 2):
        if reached * stride <= output_stride:
            reached *= stride
            plan.append((stride, dilation, dilation))
        else:
            plan.append((1, dilation, dilation * stride))
            dilation *= stride
    return plan


class ResNet(nn.Module):
    """Images (N, in_channels, H, W) → feature map (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉), after the last ReLU."""

    input_norm = IMAGENET

    def __init__(self, depth: Literal[18, 34, 50], config: ResNetConfig) -> None:
        super().__init__()
        block, counts = LAYOUTS[depth]
        norm: Norm = group_norm if config.norm == "group" else FrozenBatchNorm2d if config.frozen else nn.BatchNorm2d
        width, plan = config.width, dilation_plan(config.output_stride)
        inputs = [width, *(width * block.expansion * 2**i for i in range(3))]
        self.stride = config.output_stride
        self.out_channels = width * block.expansion * 8
        self.conv1 = conv(config.in_channels, width, 7, 2)
        self.bn1 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            stage(block, inputs[i], width * 2**i, counts[i], plan[i], norm) for i in range(4)
        )
        self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (N, width, ⌈H/4⌉, ⌈W/4⌉)
        x = self.layer2(self.layer1(x))
        return self.layer4(self.layer3(x))  # type: ignore[no-any-return]  # modules return Any


def initialise(module: nn.Module) -> None:
    """He initialisation over the fan-out of a convolution (He et al. 2015, arXiv 1502.01852); norms start at 1 and 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
