"""Making a task from its record."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TypeVar

from trunkzoo.catalogue.guard import foreign
from trunkzoo.errors import PluginError, TaskError
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.contract import TaskContract
from trunkzoo.plugin.protocols import Task
from trunkzoo.plugin.records import TaskSpec

ConfigT = TypeVar("ConfigT", bound=Config)


def contract_of(spec: TaskSpec[ConfigT], config: ConfigT) -> TaskContract:
    """What the task offers, asked without its simulator.

    Raises:
        PluginError: its plugin cannot say.
    """
    with foreign(f"the contract of task '{spec.name}'"):
        offered = spec.contract(config)
    if not isinstance(offered, TaskContract):
        raise PluginError(f"the contract of task '{spec.name}' is a {type(offered).__name__}, not a TaskContract")
    return offered


def make_task(spec: TaskSpec[ConfigT], config: ConfigT) -> Task:
    """Build the task of ``spec``.

    Raises:
        TaskError: its simulator is not installed; the message has the line that installs it.
    """
    absent = [name for name in spec.requires if find_spec(name) is None]
    if absent:
        install = f"pip install 'trunkzoo[{spec.extra}]'" if spec.extra else f"pip install {' '.join(absent)}"
        raise TaskError(f"task {spec.name} needs {' and '.join(absent)}, not installed here.\nInstall: {install}")
    with foreign(f"building task '{spec.name}'"):
        task: Task = spec.build(config)
    return task
