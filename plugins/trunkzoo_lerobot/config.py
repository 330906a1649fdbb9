"""Which policy of lerobot acts, and in which Python."""

from __future__ import annotations

from pydantic import Field

from trunkzoo.plugin import Config


class LerobotConfig(Config):
    """What stands behind the colon, and where lerobot is installed."""

    path: str = Field(
        default="", description="what lerobot-train wrote: its output_dir, a checkpoint, or pretrained_model"
    )
    instruction: str = Field(
        default="", description="the sentence that a policy of language is given; others ignore it"
    )
    python: str = Field(
        default="",
        description="the Python that has lerobot, such as .venv-lerobot/bin/python; empty: the one that runs zoo",
    )
