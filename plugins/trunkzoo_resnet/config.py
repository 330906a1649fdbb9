"""Settings of the ResNet trunks; importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from trunkzoo.plugin import Config, WeightsPath

GROUP_CHANNELS = 16  # channels per group of group norm


class ResNetConfig(Config):
    """One ResNet; the depth is in the trunk's name."""

    norm: Literal["batch", "group"] = Field(
        default="batch", description="normalisation; group has channels / 16 groups"
    )
    frozen: bool = Field(
        default=False, description="batch norm with fixed statistics and affine; needs trained weights"
    )
    width: PositiveInt = Field(
        default=64, description="channels of the first stage; the others have 2, 4 and 8 times it"
    )
    in_channels: PositiveInt = Field(default=3, description="channels of an image")
    output_stride: Literal[32, 16, 8] = Field(
        default=32, description="input pixels per cell of the feature map; below 32, late strides become dilation"
    )
    weights: WeightsPath | None = Field(
        default=None,
        description="torchvision weights: a .safetensors or .pth file, or a name such as hf:timm/resnet18.tv_in1k",
    )

    @model_validator(mode="after")
    def _norm_fits(self) -> ResNetConfig:
        if self.norm == "group" and self.width % GROUP_CHANNELS:
            raise ValueError(f"width {self.width} is not a multiple of {GROUP_CHANNELS}, the channels of a norm group")
        if self.norm == "group" and self.frozen:
            raise ValueError("frozen = true with norm = 'group': only batch norm has statistics to freeze")
        return self
