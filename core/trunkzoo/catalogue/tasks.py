"""A task from its record: its contract without its simulator, its scene with it, and the play of its expert."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.part import Configured
from trunkzoo.errors import PluginError, TaskError
from trunkzoo.plugin.contract import TaskContract
from trunkzoo.plugin.protocols import Expert, NoiseTolerant, Task
from trunkzoo.plugin.records import TaskSpec, require_installed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def contract_of(task: Configured[TaskSpec[Any]]) -> TaskContract:
    """What the task offers, asked without its simulator.

    Raises:
        PluginError: its plugin cannot say.
    """
    with plugin_code(f"the contract of task '{task.spec.name}'"):
        offered = task.spec.contract(task.config)
    if not isinstance(offered, TaskContract):
        raise PluginError(f"the contract of task '{task.spec.name}' is a {type(offered).__name__}, not a TaskContract")
    return offered


def make_task(task: Configured[TaskSpec[Any]]) -> Task:
    """Build the simulator scene of a task.

    Raises:
        TaskError: its simulator is not installed; the message has the line that installs it.
    """
    require_installed(task.spec)
    with plugin_code(f"building task '{task.spec.name}'"):
        built = task.spec.build(task.config)
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


def expert_commands(task: Task, seed: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Each command (action_dim,) of the expert of the episode just reset, and the deviation of the noise it survives.

    The caller takes the step before it asks for the next command.
    """
    expert: Expert = task.expert(seed)
    while True:
        tolerance = expert.tolerance() if isinstance(expert, NoiseTolerant) else None
        command = expert.act()
        if command is None:
            return
        if command.shape != (task.contract.action_dim,):
            raise TaskError(
                f"the expert's action has shape {command.shape}; the task's action_dim is {task.contract.action_dim}"
            )
        yield command, command * 0 if tolerance is None else tolerance
