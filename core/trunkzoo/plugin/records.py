"""Plugin API v1: the records in which a plugin describes its trunks, heads, tasks and policies.

A record describes without torch; ``build`` imports torch (or a simulator) inside its body.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar, Generic, TypeVar

from trunkzoo.errors import PluginError, TaskError, install_command
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.contract import Contract, TaskContract

ConfigT = TypeVar("ConfigT", bound=Config)
_NAME = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")


def name_fault(kind: str, name: str) -> str:
    """What is wrong with the name of a plugin or a record, in one sentence; nothing if it is fine."""
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


@dataclass(frozen=True)
class RolloutContext:
    """What a policy is built for."""

    contract: TaskContract
    """Of the task that it acts in."""
    noise_seed: int = 0
    """Base of its random numbers: those of an episode are a function of this and of the episode's seed."""
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class PolicyProvenance:
    """Where a policy's actions come from, as every result row states it; no paths, which differ between machines."""

    name: str
    """What tables call it, such as ``act``."""
    sha256: str | None = None
    """Of its weights; None for a policy without any."""
    step: int | None = None
    """Optimiser steps of its training, as far as that is known."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the packages that it computes with."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything else that decides its actions, as JSON."""


def _here(config: Config) -> bool:
    return True


def _fits_any(config: Config, contract: TaskContract) -> Sequence[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class PolicySpec(Record[ConfigT]):
    """One kind of policy that acts beside trunkzoo's agents. ``build(config, context)`` returns a :class:`Policy`."""

    kind = "policy"
    build: Callable[[ConfigT, RolloutContext], Any]
    provenance: Callable[[ConfigT], PolicyProvenance]
    """Where its actions come from, told without building it."""
    argument: str = ""
    """The setting that stands behind the colon: ``path`` where people write ``NAME:PATH``. Empty by default, it must be given."""
    misfits: Callable[[ConfigT, TaskContract], Sequence[str]] = _fits_any
    """One line for each camera or width that does not fit the task's; told without building it."""
    local: Callable[[ConfigT], bool] = _here
    """Whether it runs in this Python, which must then have what the record requires."""
    elsewhere: str = ""
    """The setting that lets it run in another Python, as people write it, for the message where a package is absent here."""
    checked_on: str = "reach/reach"
    """The task in which conformance checks play it."""


def lacks_argument(spec: PolicySpec[Any], config: Config) -> bool:
    """Whether the policy still needs what stands behind the colon."""
    return bool(spec.argument) and getattr(config, spec.argument) in ("", None)


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


AnySpec = TrunkSpec[Any] | HeadSpec[Any] | TaskSpec[Any] | PolicySpec[Any]
