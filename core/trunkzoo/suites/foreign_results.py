"""What a suite found of the policies that other packages trained."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from trunkzoo.suites.evaluated import Evaluated, read_runs
from trunkzoo.suites.plan import ForeignPlan


@dataclass(frozen=True)
class ForeignResult(Evaluated):
    """A policy that another package trained, on one task, over its training seeds."""

    plan: ForeignPlan
    steps: int
    train_seconds: float
    """Mean wall time of a training, its start included."""
    latency_ms: float | None
    """Median wall time of a prediction in its own evaluation, not comparable with that of an arm and not in the table.

    None for a policy that tells none.
    """

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers of the table's line."""
        return {
            "name": self.plan.label,
            "policy": self.plan.policy,
            "steps": self.steps,
            "train_seconds": self.train_seconds,
            "latency_ms": self.latency_ms,
            **self.scores(),
        }


def read_foreign(plan: ForeignPlan) -> ForeignResult:
    """Read what its cells left.

    Raises:
        ZooError: a cell has no result yet.
    """
    trained = [cell.result() for cell in plan.trains]
    latencies = [found["latency_ms"] for found in (cell.result() for cell in plan.evaluations)]
    return ForeignResult(
        plan=plan,
        steps=int(trained[0]["steps"]),
        train_seconds=fmean(found["train_seconds"] for found in trained),
        latency_ms=None if None in latencies else fmean(latencies),
        **read_runs(plan.evaluations),
    )
