"""What a suite found of the policies that other packages trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.rollouts.scores import summary_of
from trunkzoo.statistics import Summary
from trunkzoo.suites.layout import report_rows
from trunkzoo.suites.plan import ForeignPlan


@dataclass(frozen=True)
class ForeignResult:
    """A policy that another package trained, on one task, over its training seeds."""

    plan: ForeignPlan
    steps: int
    train_seconds: float
    """Mean wall time of a training, its start included."""
    latency_ms: float | None
    """Median of a prediction in the evaluation; None for a policy that tells none."""
    rows: tuple[tuple[Row, ...], ...]
    blind: tuple[tuple[Row, ...], ...]

    @cached_property
    def summary(self) -> Summary:
        """Success and rewards on the report seeds."""
        return summary_of(*self.rows)

    @cached_property
    def blind_summary(self) -> Summary | None:
        """The same on blanked images; None where not run."""
        return summary_of(*self.blind) if self.blind else None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers of the table's line."""
        return {
            "name": self.plan.label,
            "policy": self.plan.policy,
            "steps": self.steps,
            "train_seconds": self.train_seconds,
            "latency_ms": self.latency_ms,
            "report": self.summary.to_dict(),
            "blind": self.blind_summary.to_dict() if self.blind_summary else None,
        }


def read_foreign(plan: ForeignPlan) -> ForeignResult:
    """Read what its cells left.

    Raises:
        ZooError: a cell has no result yet.
    """
    trained = [cell.result() for cell in plan.trains]
    latencies = [found["latency_ms"] for found in (cell.result() for cell in plan.evaluations)]
    blind = [report_rows(cell.directory, "blind") for cell in plan.evaluations]
    return ForeignResult(
        plan=plan,
        steps=int(trained[0]["steps"]),
        train_seconds=fmean(found["train_seconds"] for found in trained),
        latency_ms=None if None in latencies else fmean(latencies),
        rows=tuple(tuple(read_rows(report_rows(cell.directory, "agent"))) for cell in plan.evaluations),
        blind=tuple(tuple(read_rows(path)) for path in blind if path.is_file()),
    )
