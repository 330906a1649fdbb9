"""Conformance checks: one rule, how it is run on a record, and its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, TypeVar

from trunkzoo.catalogue.guard import contained
from trunkzoo.errors import ZooError, did_you_mean, one_line
from trunkzoo.plugin.config import Config, parse
from trunkzoo.plugin.records import AnySpec, PolicySpec, install_line
from trunkzoo.registry.assignments import overlay

SpecT = TypeVar("SpecT", bound=AnySpec)
Outcome = Literal["passed", "failed", "gap", "skipped"]


class CheckFailed(ZooError):
    """A plugin's record breaks a rule of the conformance kit."""


class CheckSkipped(Exception):
    """A check cannot run here, for the reason given."""


@dataclass(frozen=True)
class Subject(Generic[SpecT]):
    """The record under test, with the configuration it is tested in."""

    id: str
    spec: SpecT
    config: Config

    @property
    def plugin(self) -> str:
        """Name of the plugin that ships it."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Check(Generic[SpecT]):
    """A named rule. ``run`` returns nothing, and raises when the rule is broken."""

    run: Callable[[Subject[SpecT]], None]
    slow: bool = False
    """Takes seconds rather than milliseconds for a usual model."""
    builds: bool = True
    """Builds the record, so it needs the optional packages that the record requires."""

    @property
    def name(self) -> str:
        """``rows_independent`` → ``rows-independent``."""
        return self.run.__name__.replace("_", "-")

    @property
    def rule(self) -> str:
        """The rule in one sentence."""
        return (self.run.__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True)
class Result:
    """Outcome of one conformance check on one record."""

    id: str
    check: str
    outcome: Outcome
    seconds: float
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)


def subject_of(id: str, spec: SpecT, settings: Mapping[str, Any] | None = None) -> Subject[SpecT]:
    """The record in its default configuration, or with ``settings`` (by dotted keys) on top.

    Raises:
        ConfigError: the record's defaults, or the settings, break its own schema.
    """
    return Subject(id, spec, parse(spec.config, overlay(spec.defaults, settings or {}), id))


def run_check(check: Check[SpecT], subject: Subject[SpecT]) -> Result:
    """Run one check. A declared gap that fails is a ``gap``; one that passes has closed, and is a failure."""
    start = time.perf_counter()
    gap = subject.spec.known_gaps.get(check.name)
    outcome, detail = _attempt(check, subject)
    if gap is not None and outcome == "failed":
        outcome, detail = "gap", gap
    elif gap is not None and outcome == "passed":
        outcome, detail = "failed", f"known_gaps declares it ({gap}), but it passes: remove the gap"
    return Result(subject.id, check.name, outcome, time.perf_counter() - start, detail)


def unknown_gaps(subject: Subject[SpecT], checks: Sequence[Check[SpecT]]) -> list[Result]:
    """A failure for every gap that names no check."""
    names = [check.name for check in checks]
    return [
        Result(subject.id, gap, "failed", 0.0, f"known_gaps: there is no check '{gap}'.{did_you_mean(gap, names)}")
        for gap in subject.spec.known_gaps
        if gap not in names
    ]


def require(condition: bool, message: str) -> None:
    """Raise :class:`CheckFailed` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise CheckFailed(message)


def _attempt(check: Check[SpecT], subject: Subject[SpecT]) -> tuple[Outcome, str]:
    spec = subject.spec
    here = not isinstance(spec, PolicySpec) or spec.local(subject.config)  # else another Python has what it requires
    install = install_line(spec) if here else ""
    if check.builds and install:
        return "skipped", f"not installed here: {install}"
    try:
        with contained():
            check.run(subject)
    except CheckSkipped as error:
        return "skipped", str(error)
    except ZooError as error:
        return "failed", str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises fails its own check only
        return "failed", one_line(error)
    return "passed", ""
