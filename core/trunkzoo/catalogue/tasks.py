"""A task from its record: its contract without its simulator, its scene with it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, cast

from trunkzoo.catalogue.guard import foreign
from trunkzoo.catalogue.part import Configured
from trunkzoo.errors import PluginError, TaskError
from trunkzoo.plugin.contract import TaskContract
from trunkzoo.plugin.protocols import Task
from trunkzoo.plugin.records import TaskSpec


def contract_of(task: Configured[TaskSpec[Any]]) -> TaskContract:
    """What the task offers, asked without its simulator.

    Raises:
        PluginError: its plugin cannot say.
    """
    with foreign(f"the contract of task '{task.spec.name}'"):
        offered = task.spec.contract(task.config)
    if not isinstance(offered, TaskContract):
        raise PluginError(f"the contract of task '{task.spec.name}' is a {type(offered).__name__}, not a TaskContract")
    return offered


def make_task(task: Configured[TaskSpec[Any]]) -> Task:
    """Build the simulator scene of a task.

    Raises:
        TaskError: its simulator is not installed; the message has the line that installs it.
    """
    spec = task.spec
    absent = [name for name in spec.requires if find_spec(name) is None]
    if absent:
        install = f"pip install 'trunkzoo[{spec.extra}]'" if spec.extra else f"pip install {' '.join(absent)}"
        raise TaskError(f"task {spec.name} needs {' and '.join(absent)}, not installed here.\nInstall: {install}")
    with foreign(f"building task '{spec.name}'"):
        built = spec.build(task.config)
    return require_task(built, task.title)


def require_task(built: object, what: str) -> Task:
    """``built`` as a task.

    Raises:
        PluginError: it lacks members of one; all of them are named.
    """
    absent = [name for name in ("contract", "action_low", "action_high") if not hasattr(built, name)]
    methods = ("reset", "observe", "step", "hold", "expert", "close")
    absent += [f"{name}()" for name in methods if not callable(getattr(built, name, None))]
    if absent:
        raise PluginError(
            f"{what} built a {type(built).__name__} without {', '.join(absent)}; trunkzoo.plugin.Task has them all"
        )
    return cast(Task, built)
