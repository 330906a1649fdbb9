"""Report episodes of whatever a suite trained, read back and summarised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.rollouts.scores import summary_of
from trunkzoo.statistics import Summary
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import report_rows

RunRows = tuple[tuple[Row, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The report episodes of one policy on one task, over its training seeds."""

    rows: RunRows
    """Report rows per training seed."""
    blind: RunRows
    """The same checkpoints on blanked images, per training seed; empty where not run."""

    @cached_property
    def summary(self) -> Summary:
        """Success and rewards on the report seeds."""
        return summary_of(*self.rows)

    @cached_property
    def blind_summary(self) -> Summary | None:
        """The same on blanked images; None where not run."""
        return summary_of(*self.blind) if self.blind else None

    def scores(self) -> dict[str, Any]:
        """Both summaries as plain numbers."""
        return {
            "report": self.summary.to_dict(),
            "blind": self.blind_summary.to_dict() if self.blind_summary else None,
        }


class Runs(TypedDict):
    """Arguments of :class:`Evaluated`."""

    rows: RunRows
    blind: RunRows


def read_runs(evaluations: Sequence[Cell]) -> Runs:
    """The rows of finished evaluations, one per training seed, as arguments of :class:`Evaluated`."""
    blind = [report_rows(cell.directory, "blind") for cell in evaluations]
    return {
        "rows": tuple(tuple(read_rows(report_rows(cell.directory, "agent"))) for cell in evaluations),
        "blind": tuple(tuple(read_rows(path)) for path in blind if path.is_file()),
    }
