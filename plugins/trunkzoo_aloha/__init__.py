"""Built-in plugin: the two-arm ALOHA scene of gym-aloha, with a scripted demonstrator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TaskSpec, hookimpl
from trunkzoo_aloha.config import TransferCubeConfig, contract

if TYPE_CHECKING:
    from trunkzoo_aloha.task import TransferCubeTask


def _build(config: TransferCubeConfig) -> TransferCubeTask:
    from trunkzoo_aloha.task import TransferCubeTask

    return TransferCubeTask(config)


TRANSFER_CUBE = TaskSpec(
    name="transfer-cube",
    summary="the right ViperX arm picks a cube up and passes it to the left one",
    config=TransferCubeConfig,
    contract=contract,
    build=_build,
    fps=50,
    max_steps=300,
    demo_steps=220,
    success_rule="some step with reward 4 after the right gripper let go: only the left one holds the cube, off the table",
    expert_success=0.95,
    reward_range=(0.0, 4.0),
    stages={"touched": 1.0, "lifted": 2.0, "touched by the other": 3.0},
    requires=("gym_aloha", "dm_control", "mujoco"),
    extra="simulators",
    no_deps={"gym-aloha": "0.1.5", "dm_control": "1.0.28"},  # which ask for labmaze: no wheel for Python 3.13
)


@hookimpl
def trunkzoo_tasks() -> Iterable[TaskSpec[Any]]:
    """The ALOHA tasks."""
    return [TRANSFER_CUBE]
