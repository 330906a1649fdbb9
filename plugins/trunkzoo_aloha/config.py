"""Settings of the ALOHA tasks; importable without the simulator."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trunkzoo.plugin import Config, ImageSize, TaskContract

Camera = Literal["top", "angle", "front_close", "left_pillar", "right_pillar", "left_wrist", "right_wrist"]
STATE_DIM = ACTION_DIM = 14


class TransferCubeConfig(Config):
    """What the agent sees of the scene."""

    cameras: tuple[Camera, ...] = Field(
        default=("top", "left_wrist", "right_wrist"),
        min_length=1,
        description="cameras of the observation, in the order of the condition vector",
    )
    image_size: ImageSize = Field(default=(96, 96), description="(height, width) of every camera image, pixels")


def contract(config: TransferCubeConfig) -> TaskContract:
    """Two ViperX arms, left then right: state and action [6 joints, gripper] × 2."""
    return TaskContract(
        cameras=config.cameras, image_size=config.image_size, state_dim=STATE_DIM, action_dim=ACTION_DIM
    )
