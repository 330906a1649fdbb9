"""Plugin API v1: the records that plugins hand over, and the protocols of what they build.

A record describes without torch; ``build`` imports torch (or a simulator) inside its body.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from trunkzoo.errors import install_command
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.contract import Contract, TaskContract

ConfigT = TypeVar("ConfigT", bound=Config)
NAME_RULE = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")


def _check_name(name: str, kind: str) -> None:
    if not NAME_RULE.fullmatch(name):
        raise ValueError(f"{kind} name {name!r}: use lower-case letters, digits and single - _ . between them")


@dataclass(frozen=True, kw_only=True)
class TrunkSpec(Generic[ConfigT]):
    """One vision trunk. ``build(config)`` returns a :class:`VisionTrunk`."""

    name: str
    summary: str
    config: type[ConfigT]
    build: Callable[[ConfigT], Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    known_gaps: Mapping[str, str] = field(default_factory=dict)
    """Conformance checks this trunk cannot pass, each with its reason; a gap that has closed is an error."""
    requires: tuple[str, ...] = ()
    """Import names of optional packages; where one is absent, checks skip and ``build`` says how to install it."""
    extra: str = ""
    """Name of the extra that installs them: ``pip install 'trunkzoo[extra]'``."""
    initial: tuple[str, ...] = ()
    """Settings that only choose initial weights, such as a file: a checkpoint is rebuilt without them."""

    def __post_init__(self) -> None:
        _check_name(self.name, "trunk")


@dataclass(frozen=True, kw_only=True)
class HeadSpec(Generic[ConfigT]):
    """One action head. ``build(config, contract)`` returns a :class:`Head`."""

    name: str
    summary: str
    config: type[ConfigT]
    build: Callable[[ConfigT, Contract], Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    known_gaps: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name(self.name, "head")


@dataclass(frozen=True, kw_only=True)
class TaskSpec(Generic[ConfigT]):
    """One simulator task. ``contract(config)`` needs no simulator; ``build(config)`` returns a :class:`Task`."""

    name: str
    summary: str
    config: type[ConfigT]
    contract: Callable[[ConfigT], TaskContract]
    build: Callable[[ConfigT], Any]
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
    defaults: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    """Import names of the simulator's packages; absent ones make ``build`` fail with the line that installs them."""
    known_gaps: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    """Name of the extra that installs them: ``pip install 'trunkzoo[extra]'``."""

    def __post_init__(self) -> None:
        _check_name(self.name, "task")


def install_line(spec: TrunkSpec[Any] | TaskSpec[Any]) -> str:
    """The line that installs what ``spec`` requires and this environment lacks; empty when nothing is absent."""
    absent = [name for name in spec.requires if find_spec(name.partition(".")[0]) is None]
    if not absent:
        return ""
    if spec.extra:
        return install_command(f"trunkzoo[{spec.extra}]")
    return " && ".join(install_command(name) for name in absent)


AnySpec = TrunkSpec[Any] | HeadSpec[Any] | TaskSpec[Any]
