"""Built-in plugin: a point goes to the target that its cameras show. No simulator, nothing to install."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TaskSpec, hookimpl
from trunkzoo_reach.config import ReachConfig, contract

if TYPE_CHECKING:
    from trunkzoo_reach.task import Detour, Reach


def _reach(config: ReachConfig) -> Reach:
    from trunkzoo_reach.task import Reach

    return Reach(config)


def _detour(config: ReachConfig) -> Detour:
    from trunkzoo_reach.task import Detour

    return Detour(config)


RULE = "within 0.05 of the target at some step"
REACH = TaskSpec(
    name="reach",
    summary="a point goes straight to a target, in images of 16 × 16 pixels",
    config=ReachConfig,
    contract=contract,
    build=_reach,
    fps=10,
    max_steps=16,
    demo_steps=14,
    success_rule=RULE,
    expert_success=1.0,
    reward_range=(0.0, 1.0),
    defaults={"image_size": 16},
)
DETOUR = TaskSpec(
    name="detour",
    summary="a point goes to a target behind a round wall, which half of the demonstrations pass on either side",
    config=ReachConfig,
    contract=contract,
    build=_detour,
    fps=10,
    max_steps=40,
    demo_steps=40,
    success_rule=RULE,
    expert_success=1.0,
    reward_range=(0.0, 1.0),
)


@hookimpl
def trunkzoo_tasks() -> Iterable[TaskSpec[Any]]:
    """The reach tasks."""
    return [REACH, DETOUR]
