"""The progress bar of a running evaluation, with the success rate so far and its interval; on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.rows import Row
from trunkzoo.statistics import wilson


class EvaluationProgress:
    """One bar over the episodes of one or several evaluations; call it as ``on_row``."""

    def __init__(self, label: str, episodes: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._rows: dict[int, int] = {}
        self._task = self._bar.add_task(label, total=episodes, note="starting the simulator")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, evaluation: Evaluation, row: Row) -> None:
        """Count one episode."""
        self._rows[id(evaluation)] = len(evaluation.rows)
        self._bar.update(self._task, completed=sum(self._rows.values()), note=running(evaluation))


def running(evaluation: Evaluation) -> str:
    """``agent: success 0.58 [0.32, 0.81], reward 0.41`` of the rows so far."""
    rows = evaluation.rows.values()
    success = wilson(sum(bool(row["success"]) for row in rows), len(rows))
    reward = sum(float(row["average_reward"]) for row in rows) / len(rows)
    return f"{evaluation.plan.job.policy}: success {success.text()}, reward {reward:.2f}"
