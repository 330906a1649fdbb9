"""A trunk of trunkzoo as a backbone of lerobot's own policies, which know ResNets of torchvision by name and in one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torchvision
from torch import Tensor, nn

from lerobot_policy_trunkzoo.recipes import asked_recipe
from trunkzoo.errors import UsageError
from trunkzoo.plugin import VisionTrunk

RECIPE = "imf-resnet18-demo"


class Backbone(nn.Module):
    """A trunk under the names that lerobot reads: the map is behind ``layer4``, and what follows is cut off."""

    def __init__(self, trunk: VisionTrunk) -> None:
        super().__init__()
        self.layer4 = cast(nn.Module, trunk)
        self.avgpool = nn.Identity()
        self.fc = nn.Linear(trunk.out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to features (N, C, h, w)."""
        features: Tensor = self.layer4(images)
        return features


def resnet18_narrow(
    weights: str | None = None, replace_stride_with_dilation: Sequence[bool] = (), **_: Any
) -> Backbone:
    """ResNet-18 as in the recipe ``imf-resnet18-demo``: a quarter of the width, group norm whatever norm is asked for.

    Its map is 1/32 of the image, or 1/16 where lerobot asks for dilation in place of the last stride.

    Raises:
        UsageError: pretrained weights are asked for; there are none.
    """
    from trunkzoo.agent.assemble import build_trunk

    if weights:
        raise UsageError(f"resnet18_narrow has no weights {weights}; say --policy.pretrained_backbone_weights=null")
    stride = 32 >> sum(replace_stride_with_dilation)
    return Backbone(build_trunk(asked_recipe(RECIPE, None, {"trunk.output_stride": str(stride)}).trunk))


def register() -> None:
    """Let ``--policy.vision_backbone=resnet18_narrow`` mean it."""
    torchvision.models.resnet18_narrow = resnet18_narrow
