"""What registry.toml asserts about trunks and third-party packages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from trunkzoo.plugin.config import Config


class TrunkFacts(Config):
    """``[trunks."plugin/name"]``: what we assert about a trunk; a test rebuilds it and compares each number."""

    status: Literal["stable", "experimental", "deprecated"] = Field(description="what to expect of it")
    paper: str = Field(default="", description="where the architecture comes from")
    since: str = Field(default="", description="trunkzoo version that first had it")
    params: PositiveInt = Field(description="number of parameters")
    channels: PositiveInt = Field(description="channels of the feature map")
    stride: PositiveInt = Field(description="input pixels per cell of the feature map")
    macs_96: PositiveInt | None = Field(default=None, description="multiply-adds of one 96 × 96 image")
    macs_224: PositiveInt | None = Field(default=None, description="multiply-adds of one 224 × 224 image")
    golden: str = Field(
        default="",
        description="hash of the rounded features of fixed weights and a fixed image, see trunkzoo.agent.numbers.golden",
    )


class Checked(Config):
    """What the conformance kit said about a third party's package."""

    version: str = Field(description="its version")
    api: PositiveInt = Field(description="plugin API version")
    passed: NonNegativeInt = Field(description="number of checks passed")


class KnownPackage(Config):
    """``[known."distribution"]``: a third-party package that we have seen to work."""

    plugin: str = Field(description="the plugin name it claims")
    source: str = Field(default="", description="where it is developed")
    checked: Checked | None = Field(default=None, description="conformance result")
