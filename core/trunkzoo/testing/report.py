"""Run the conformance checks of records, and count their outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import RecordKind
from trunkzoo.errors import UsageError
from trunkzoo.plugin.records import AnySpec
from trunkzoo.testing.check import Check, Result, run_check, subject_of, unknown_gaps

LEAST_CHECKS: Mapping[RecordKind, int] = {"trunk": 16, "head": 13, "task": 10, "policy": 10}
"""How many checks must have run, per record, for a result to count: an empty run is not green."""


@dataclass(frozen=True)
class Report:
    """All results of some records, which must have run ``least_checks`` checks at least."""

    results: tuple[Result, ...]
    least_checks: int

    @property
    def counts(self) -> dict[str, int]:
        """How many checks passed, failed, are declared gaps, or were skipped."""
        counter = Counter(result.outcome for result in self.results)
        return {outcome: counter[outcome] for outcome in ("passed", "failed", "gap", "skipped")}

    @property
    def ran(self) -> int:
        """How many checks were tried."""
        return len(self.results) - self.counts["skipped"]

    @property
    def ok(self) -> bool:
        """No check failed, and enough were tried."""
        return self.counts["failed"] == 0 and self.ran >= self.least_checks

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy with counts."""
        results = [result.to_dict() for result in self.results]
        return {"ok": self.ok, "counts": self.counts, "ran": self.ran, "floor": self.least_checks, "results": results}


def checks_for(kind: RecordKind) -> tuple[Check[Any], ...]:
    """The checks that every record of ``kind`` must pass."""
    if kind == "policy":
        from trunkzoo.testing.policy_checks import POLICY_CHECKS

        return POLICY_CHECKS
    if kind == "task":
        from trunkzoo.testing.task_checks import TASK_CHECKS

        return TASK_CHECKS
    if kind == "head":
        from trunkzoo.testing.head_checks import HEAD_CHECKS

        return HEAD_CHECKS
    from trunkzoo.testing.trunk_checks import TRUNK_CHECKS

    return TRUNK_CHECKS


def run_records(
    records: Iterable[tuple[RecordKind, str, AnySpec]], settings: Mapping[str, Any] | None = None, *, slow: bool = True
) -> Iterator[Result]:
    """Yield the result of every check of every record, as they finish."""
    for kind, id, spec in records:
        checks = [check for check in checks_for(kind) if slow or not check.slow]
        subject = subject_of(id, spec, settings)
        yield from unknown_gaps(subject, checks_for(kind))
        for check in checks:
            yield run_check(check, subject)


def least_checks_of(records: Sequence[tuple[RecordKind, str, AnySpec]], *, slow: bool = True) -> int:
    """The least number of checks that ``records`` must have run; at least one, so that nothing is not enough."""
    left_out = 0 if slow else sum(check.slow for kind, _, _ in records for check in checks_for(kind))
    return max(1, sum(LEAST_CHECKS[kind] for kind, _, _ in records) - left_out)


def require_one(records: Sequence[tuple[RecordKind, str, AnySpec]], settings: Mapping[str, Any], name: str) -> None:
    """Settings fit one record.

    Raises:
        UsageError: there are settings and several records.
    """
    if settings and len(records) > 1:
        raise UsageError(f"settings fit one record, but '{name}' has {len(records)}: name one of them", ["settings"])


def check_records(catalogue: Catalogue, name: str, settings: Mapping[str, Any] | None = None) -> Report:
    """Run every check of plugin or record ``name``.

    Raises:
        UsageError: no such plugin or record, or settings for several records.
        ConfigError: the record's configuration is refused.
    """
    records = catalogue.chosen(name)
    require_one(records, settings or {}, name)
    return Report(tuple(run_records(records, settings)), least_checks_of(records))
