"""Settings of the two-arm tasks; importable without the simulator."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trunkzoo.plugin import Config, ImageSize, TaskContract

Camera = Literal[
    "agentview",
    "robot0_eye_in_hand",
    "robot1_eye_in_hand",
    "frontview",
    "birdview",
    "sideview",
    "robot0_robotview",
    "robot1_robotview",
]
STATE_DIM = ACTION_DIM = 16


class LiftExpertConfig(Config):
    """The demonstrator of two-arm-lift."""

    modes: Literal[1, 2] = Field(
        default=1,
        description="1: the hands turn counter-clockwise onto the handles in every episode; 2: a coin per episode picks the way round, where both fit",
    )


class TwoArmConfig(Config):
    """What all two-arm scenes share."""

    cameras: tuple[Camera, ...] = Field(
        default=("agentview", "robot0_eye_in_hand", "robot1_eye_in_hand"),
        min_length=1,
        description="cameras of the observation, in the order of the condition vector",
    )
    image_size: ImageSize = Field(default=(96, 96), description="(height, width) of every camera image, pixels")


class LiftConfig(TwoArmConfig):
    """Settings of two-arm-lift."""

    expert: LiftExpertConfig = Field(default=LiftExpertConfig(), description="the scripted demonstrator")


class HandoverConfig(TwoArmConfig):
    """Settings of two-arm-handover."""

    cameras: tuple[Camera, ...] = Field(
        default=("robot0_robotview", "robot0_eye_in_hand", "robot1_eye_in_hand"),
        min_length=1,
        description="cameras of the observation; agentview, used by two-arm-lift, cuts the hammer off in this scene",
    )


def contract(config: TwoArmConfig) -> TaskContract:
    """Two Panda arms: state [7 joints, finger gap] × 2; action [7 joint targets, gripper] × 2."""
    return TaskContract(
        cameras=config.cameras, image_size=config.image_size, state_dim=STATE_DIM, action_dim=ACTION_DIM
    )
