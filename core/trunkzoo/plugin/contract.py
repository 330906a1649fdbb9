"""The contract: the numbers on which trunk, head, task, data and checkpoint must agree."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from trunkzoo.plugin.config import Config

IMAGE_KEY = "observation.images."
STATE_KEY = "observation.state"
ACTION_KEY = "action"
_MOST = 1 << 20  # of anything in a contract: torch would take more numbers than any memory holds without a word
Count = Annotated[int, Field(gt=0, le=_MOST)]
PAD_KEY = "action_is_pad"
SEED_KEY = "seed"


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


ImageSize = Annotated[tuple[Count, Count], BeforeValidator(_pair)]
"""(height, width) in pixels; one integer means a square."""


class TaskContract(Config):
    """What a task offers: its cameras and the width of its state and action vectors."""

    cameras: tuple[str, ...] = Field(min_length=1, description="camera names, in the order of the condition vector")
    image_size: ImageSize = Field(description="(height, width) of every camera image, pixels")
    state_dim: Count = Field(description="width of the robot state")
    action_dim: Count = Field(description="width of one action")

    @model_validator(mode="after")
    def _cameras_are_distinct(self) -> TaskContract:
        if len(set(self.cameras)) != len(self.cameras):
            raise ValueError(f"cameras {list(self.cameras)} name a camera twice; every camera needs its own name")
        return self

    @property
    def image_keys(self) -> tuple[str, ...]:
        """``observation.images.<camera>`` for every camera, in declared order."""
        return tuple(IMAGE_KEY + camera for camera in self.cameras)


class Contract(TaskContract):
    """The whole contract of an agent. The reference: 3 cameras × 64 + 16 state = 208."""

    keypoints: Count = Field(default=32, description="SpatialSoftmax keypoints per camera (K)")
    camera_dim: Count = Field(default=64, description="width of one camera's feature vector (D)")
    cond_dim: Count = Field(
        default=0,
        description="expected condition width: cameras × camera_dim + state_dim, which it is where it is left out",
    )
    obs_horizon: Count = Field(default=2, description="observations the head sees")
    pred_horizon: Count = Field(default=16, description="actions in one predicted chunk")
    num_action_steps: Count = Field(default=8, description="actions executed before the next prediction")

    @field_validator("cond_dim", mode="before")
    @classmethod
    def _sum_where_left_out(cls, value: Any, info: ValidationInfo) -> Any:
        known = info.data
        if value != 0:
            return value
        if not {"cameras", "camera_dim", "state_dim"} <= known.keys():
            return 1  # the contract is refused for one of those, which is told alone
        return len(known["cameras"]) * known["camera_dim"] + known["state_dim"]

    @model_validator(mode="after")
    def _sum_is_as_expected(self) -> Contract:
        total = len(self.cameras) * self.camera_dim + self.state_dim
        if total != self.cond_dim:
            raise ValueError(
                f"{self.sum_line()}, but cond_dim expects {self.cond_dim}; "
                f"write cond_dim = {total} where cameras, camera_dim or state_dim change"
            )
        if self.num_action_steps > self.pred_horizon:
            raise ValueError(
                f"num_action_steps {self.num_action_steps} exceeds pred_horizon {self.pred_horizon}; "
                "a chunk cannot execute more actions than it holds"
            )
        return self

    def sum_line(self) -> str:
        """Return the sum as people read it: ``3 cameras × 64 + 16 state = 208``."""
        n = len(self.cameras)
        total = n * self.camera_dim + self.state_dim
        return f"{n} camera{'s' * (n != 1)} × {self.camera_dim} + {self.state_dim} state = {total}"


def differences(ours: TaskContract, theirs: TaskContract) -> list[str]:
    """Return one line per field that both have and that differs: ``field: ours ≠ theirs``."""
    shared = type(ours).model_fields.keys() & type(theirs).model_fields.keys()
    return [
        f"{name}: {getattr(ours, name)} ≠ {getattr(theirs, name)}"
        for name in type(ours).model_fields
        if name in shared and getattr(ours, name) != getattr(theirs, name)
    ]
