"""Built-in plugin: the fifty tabletop tasks of Meta-World, with the package's own scripted policies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TaskSpec, hookimpl
from trunkzoo_metaworld.config import MetaworldConfig, contract
from trunkzoo_metaworld.names import RELIABLE, SUMMARIES, UNRELIABLE

if TYPE_CHECKING:
    from trunkzoo_metaworld.task import MetaworldTask


def _build(config: MetaworldConfig, name: str) -> MetaworldTask:
    from trunkzoo_metaworld.task import MetaworldTask

    return MetaworldTask(name, config)


def _spec(name: str) -> TaskSpec[MetaworldConfig]:
    return TaskSpec(
        name=name,
        summary=SUMMARIES[name],
        config=MetaworldConfig,
        contract=contract,
        build=partial(_build, name=name),
        fps=80,
        max_steps=250,
        demo_steps=300,
        success_rule="some step that the environment flags as success (Meta-World 3.1.1, v3 tasks)",
        reward_range=(0.0, 10.0),
        expert_success=UNRELIABLE.get(name, RELIABLE),
        requires=("metaworld", "mujoco"),
        extra="metaworld",
    )


TASKS = {name: _spec(name) for name in SUMMARIES}


@hookimpl
def trunkzoo_tasks() -> Iterable[TaskSpec[Any]]:
    """The tasks of Meta-World."""
    return list(TASKS.values())
