"""Settings of the reach tasks; importable without anything."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trunkzoo.plugin import Config, TaskContract

CAMERAS = ("top", "near", "side")


class ReachConfig(Config):
    """What the agent sees of the point and its target."""

    cameras: Literal[1, 3] = Field(default=1, description="1: top; 3: top, near (moves with the point) and side")
    image_size: int = Field(default=32, ge=16, le=256, description="side of the square images, pixels")
    history: int = Field(default=1, ge=1, le=16, description="places in the state, two numbers each, the newest first")


def contract(config: ReachConfig) -> TaskContract:
    """State: the last ``history`` places (x, y); action: the place to go to; all in the unit square.

    Three cameras and eight places give the reference condition, 3 × 64 + 16 = 208.
    """
    return TaskContract(
        cameras=CAMERAS[: config.cameras],
        image_size=(config.image_size, config.image_size),
        state_dim=2 * config.history,
        action_dim=2,
    )
