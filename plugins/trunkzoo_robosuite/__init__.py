"""Built-in plugin: two-arm manipulation scenes of robosuite, with scripted demonstrators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TaskSpec, hookimpl
from trunkzoo_robosuite.config import HandoverConfig, LiftConfig, contract

if TYPE_CHECKING:
    from trunkzoo_robosuite.task import TwoArmTask

NO_DEPS = {"robosuite": "1.5.2"}
"""It pins mink 0.0.5, which holds numpy below 2 and which no task here uses."""


def _build_lift(config: LiftConfig) -> TwoArmTask:
    from trunkzoo_robosuite.lift import lift_expert
    from trunkzoo_robosuite.task import TwoArmTask

    return TwoArmTask("TwoArmLift", "pot", config, lambda task, seed: lift_expert(task, config.expert, seed))


TWO_ARM_LIFT = TaskSpec(
    name="two-arm-lift",
    summary="two Panda arms lift a pot by its handles and keep it level",
    config=LiftConfig,
    contract=contract,
    build=_build_lift,
    fps=20,
    max_steps=112,
    demo_steps=75,
    success_rule="some step with reward 1: the pot is more than 10 cm above the table and tilted less than 30 degrees",
    expert_success=1.0,
    reward_range=(0.0, 1.0),
    stages={"held": 0.42, "raised": 0.51},  # both hands near and one holding give up to 5/12, both holding up to 1/2
    requires=("robosuite", "mujoco"),
    extra="simulators",
    no_deps=NO_DEPS,
)


def _build_handover(config: HandoverConfig) -> TwoArmTask:
    from trunkzoo_robosuite.handover import HandoverExpert
    from trunkzoo_robosuite.task import TwoArmTask

    return TwoArmTask("TwoArmHandover", "hammer", config, lambda task, seed: HandoverExpert(task))


TWO_ARM_HANDOVER = TaskSpec(
    name="two-arm-handover",
    summary="one Panda arm picks a hammer up and hands it to the other",
    config=HandoverConfig,
    contract=contract,
    build=_build_handover,
    fps=20,
    max_steps=200,
    demo_steps=156,
    success_rule="some step with reward 1: only the second arm holds the hammer, by its handle, 10 cm above the table",
    expert_success=0.9,
    reward_range=(0.0, 1.0),
    stages={"grasped": 0.25, "lifted": 0.5, "held by both": 0.75},
    requires=("robosuite", "mujoco"),
    extra="simulators",
    no_deps=NO_DEPS,
)


@hookimpl
def trunkzoo_tasks() -> Iterable[TaskSpec[Any]]:
    """The two-arm tasks."""
    return [TWO_ARM_LIFT, TWO_ARM_HANDOVER]
