"""The network."""

import torch.nn.functional as F
from torch import Tensor, nn

from trunkzoo.plugin import SYMMETRIC
from trunkzoo_stripes.config import StripesConfig


class Stripes(nn.Module):
    """Average-pooled patches, a row convolution, a column convolution."""

    input_norm = SYMMETRIC

    def __init__(self, config: StripesConfig) -> None:
        super().__init__()
        self.out_channels: int = config.width
        self.stride: int = config.stride
        half = config.length // 2
        self.entry = nn.Conv2d(3, config.width, kernel_size=4, stride=4)
        self.rows = nn.Conv2d(config.width, config.width, (1, 2 * half + 1), padding=(0, half), groups=8)
        self.columns = nn.Conv2d(config.width, config.width, (2 * half + 1, 1), padding=(half, 0), groups=8)
        self.norm = nn.GroupNorm(8, config.width)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, -width % self.stride, 0, -height % self.stride))
        x = F.avg_pool2d(self.entry(padded), self.stride // 4)
        features: Tensor = self.norm(F.gelu(self.columns(self.rows(x))))
        return features
