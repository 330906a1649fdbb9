"""Settings of the Meta-World tasks; importable without the simulator."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trunkzoo.plugin import Config, ImageSize, TaskContract

Camera = Literal["topview", "corner", "corner2", "corner3", "corner4", "behindGripper", "gripperPOV"]
STATE_DIM = ACTION_DIM = 4


class MetaworldConfig(Config):
    """What the agent sees of the scene."""

    cameras: tuple[Camera, ...] = Field(
        default=("corner2", "gripperPOV"),
        min_length=1,
        description="cameras of the observation, in the order of the condition vector",
    )
    image_size: ImageSize = Field(default=(96, 96), description="(height, width) of every camera image, pixels")


def contract(config: MetaworldConfig) -> TaskContract:
    """One Sawyer arm: state [hand x, y, z in m, gripper opening]; action [hand Δx, Δy, Δz, gripper]."""
    return TaskContract(
        cameras=config.cameras, image_size=config.image_size, state_dim=STATE_DIM, action_dim=ACTION_DIM
    )
