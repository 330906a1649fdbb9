"""Plugin API v1: the records in which a plugin describes its trunks, heads and tasks.

A record describes without torch; ``build`` imports torch (or a simulator) inside its body.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar, Generic, TypeVar

from trunkzoo.errors import PluginError, TaskError, install_command
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.contract import Contract, TaskContract

ConfigT = TypeVar("ConfigT", bound=Config)
_NAME = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")


def name_fault(kind: str, name: str) -> str:
    """What is wrong with the name of a plugin, trunk, head or task, in one sentence; nothing if it is fine."""
    if _NAME.fullmatch(name):
        return ""
    return f"{kind} name {name!r}: use lower-case letters, digits and single - _ . between them"


@dataclass(frozen=True, kw_only=True)
class Record(Generic[ConfigT]):
    """What every record says."""

    kind: ClassVar[str]
    name: str
    summary: str
    config: type[ConfigT]
    build: Callable[..., Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    known_gaps: Mapping[str, str] = field(default_factory=dict)
    """Conformance checks this record cannot pass, each with its reason; a gap that has closed is an error."""
    requires: tuple[str, ...] = ()
    """Import names of optional packages; where one is absent, checks skip and building says how to install it."""
    extra: str = ""
    """Name of the extra that installs them: ``pip install 'trunkzoo[extra]'``."""
    no_deps: Mapping[str, str] = field(default_factory=dict)
    """Versions by package of what is then installed with ``--no-deps``, since its own pins would hold others back."""

    def __post_init__(self) -> None:
        if fault := name_fault(self.kind, self.name):
            raise ValueError(fault)


@dataclass(frozen=True, kw_only=True)
class TrunkSpec(Record[ConfigT]):
    """One vision trunk. ``build(config)`` returns a :class:`VisionTrunk`."""

    kind = "trunk"
    build: Callable[[ConfigT], Any]
    initial: tuple[str, ...] = ()
    """Settings that only choose initial weights, such as a file: a checkpoint is rebuilt without them."""


@dataclass(frozen=True, kw_only=True)
class HeadSpec(Record[ConfigT]):
    """One action head. ``build(config, contract)`` returns a :class:`Head`."""

    kind = "head"
    build: Callable[[ConfigT, Contract], Any]


@dataclass(frozen=True, kw_only=True)
class TaskSpec(Record[ConfigT]):
    """One simulator task. ``contract(config)`` needs no simulator; ``build(config)`` returns a :class:`Task`."""

    kind = "task"
    build: Callable[[ConfigT], Any]
    contract: Callable[[ConfigT], TaskContract]
    fps: int
    """Control steps per second."""
    max_steps: int
    """Step cap of an evaluation episode."""
    demo_steps: int
    """Step cap of a demonstration; an expert that needs more has failed."""
    success_rule: str
    """The rule in words, written into every result row."""
    expert_success: float
    """Share of 20 seeds that the expert reaches at least."""
    reward_range: tuple[float, float] = (-math.inf, math.inf)
    """Smallest and largest reward of one step; conformance holds every reward against what is stated."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """What an episode passes on its way, by the reward of one step that shows it: suites count the episodes that reach it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.reward_range
        rewards = list(self.stages.values())
        if rewards != sorted(set(rewards)) or any(not low < reward <= high for reward in rewards):
            raise ValueError(
                f"task {self.name}: stages {dict(self.stages)} must rise within the reward range {low:g} to {high:g}"
            )


def install_line(spec: Record[Any]) -> str:
    """The line that installs what ``spec`` requires and this environment lacks; empty when nothing is absent."""
    absent = _absent(spec)
    if not absent:
        return ""
    if spec.extra:
        alone = [install_command(name, version, "install --no-deps") for name, version in spec.no_deps.items()]
        return " && ".join([install_command(f"trunkzoo[{spec.extra}]"), *alone])
    return " && ".join(install_command(name) for name in absent)


def require_installed(spec: Record[Any]) -> None:
    """Return if all that ``spec`` requires is installed.

    Raises:
        PluginError, for a task TaskError: it is not; the message has the line that installs it.
    """
    if line := install_line(spec):
        error = TaskError if isinstance(spec, TaskSpec) else PluginError
        needs = f"{spec.kind} {spec.name} needs {' and '.join(_absent(spec))}"
        raise error(f"{needs}, not installed here.\nInstall: {line}")


def _absent(spec: Record[Any]) -> list[str]:
    return [name for name in spec.requires if find_spec(name.partition(".")[0]) is None]


AnySpec = TrunkSpec[Any] | HeadSpec[Any] | TaskSpec[Any]
