"""The progress bar of a running evaluation, with the success rate so far, and what the cameras see."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.rows import Row
from trunkzoo.statistics import wilson
from trunkzoo.system.progress import Bars

if TYPE_CHECKING:
    from trunkzoo.rollouts.live import LiveFrame


class EvaluationBar:
    """Counts the episodes of all evaluations in one bar; above it, if they are live, the cameras of one episode."""

    def __init__(self, label: str, evaluations: Sequence[Evaluation]) -> None:
        self._bars, self._evaluations = Bars(), evaluations
        self._bar = self._bars.add(label, sum(len(it.seeds) for it in evaluations), note="starting the simulator")
        self._watched: int | None = None

    def __enter__(self) -> Self:
        self._bars.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.__exit__(kind, error, trace)

    def on_row(self, evaluation: Evaluation, row: Row) -> None:
        """An episode has ended."""
        self._bars.update(self._bar, sum(len(it.rows) for it in self._evaluations), running(evaluation))
        if row["seed"] == self._watched:
            self._watched = None

    def on_frame(self, frame: LiveFrame) -> None:
        """Draw it, if it is of the episode that is watched: one after another."""
        self._watched = frame.seed if self._watched is None else self._watched
        if frame.seed == self._watched:
            from trunkzoo.rollouts.live import side_by_side  # Pillow

            pixels = side_by_side(frame.cameras, shutil.get_terminal_size().columns)
            self._bars.show(pixels, f"seed {frame.seed}, step {frame.step}, reward {frame.reward:.2f}")


def running(evaluation: Evaluation) -> str:
    """``agent: success 0.58 [0.32, 0.81], reward 0.41`` of the rows so far."""
    rows = evaluation.rows.values()
    success = wilson(sum(bool(row["success"]) for row in rows), len(rows))
    reward = sum(float(row["average_reward"]) for row in rows) / len(rows)
    return f"{evaluation.plan.label}: success {success.text()}, reward {reward:.2f}"
