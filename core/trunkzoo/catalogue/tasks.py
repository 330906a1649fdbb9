"""A task from its record: its contract without its simulator, its scene with it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from trunkzoo.catalogue.guard import foreign
from trunkzoo.catalogue.part import Configured
from trunkzoo.errors import PluginError, TaskError
from trunkzoo.plugin.contract import TaskContract
from trunkzoo.plugin.protocols import Task
from trunkzoo.plugin.records import TaskSpec, install_line


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
    if install := install_line(spec):
        needed = " and ".join(name for name in spec.requires if find_spec(name) is None)
        raise TaskError(f"task {spec.name} needs {needed}, not installed here.\nInstall: {install}")
    with foreign(f"building task '{spec.name}'"):
        built: Task = spec.build(task.config)
    return built
