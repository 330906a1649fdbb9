"""Settings."""

from typing import Literal

from pydantic import Field

from trunkzoo.plugin import Config


class StripesConfig(Config):
    """Width, stride and length of the stripes."""

    width: Literal[16, 32, 64] = Field(default=32, description="channels")
    stride: Literal[8, 16] = Field(default=16, description="input pixels per cell")
    length: int = Field(default=5, ge=1, le=15, description="cells that a stripe covers; odd")
