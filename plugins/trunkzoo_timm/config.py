"""Settings of a timm model; importable without timm."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from trunkzoo.plugin import Config


class TimmConfig(Config):
    """Any model of timm that gives feature maps (``timm.create_model(…, features_only=True)``)."""

    model: str = Field(default="resnet18", description="its name in timm, e.g. convnext_tiny, efficientnet_b0")
    weights: Path | None = Field(default=None, description="safetensors file of its weights, whole model or features")
    stage: int = Field(default=-1, description="which feature map: the number of its stage; -1 is the last")
    frozen: bool = Field(default=False, description="keep the weights as they are; batch norm uses its statistics")
