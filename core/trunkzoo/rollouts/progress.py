"""The progress bar of a running evaluation, with the success rate so far and its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trunkzoo.rollouts.evaluation import Evaluation, OnRow
from trunkzoo.rollouts.rows import Row
from trunkzoo.statistics import wilson
from trunkzoo.system.progress import Bars


@contextmanager
def evaluation_bar(label: str, evaluations: Sequence[Evaluation]) -> Iterator[OnRow]:
    """Yield the ``on_row`` that counts the episodes of all evaluations in one bar."""
    with Bars() as bars:
        bar = bars.add(label, sum(len(it.seeds) for it in evaluations), note="starting the simulator")

        def count(evaluation: Evaluation, row: Row) -> None:
            bars.update(bar, sum(len(it.rows) for it in evaluations), running(evaluation))

        yield count


def running(evaluation: Evaluation) -> str:
    """``agent: success 0.58 [0.32, 0.81], reward 0.41`` of the rows so far."""
    rows = evaluation.rows.values()
    success = wilson(sum(bool(row["success"]) for row in rows), len(rows))
    reward = sum(float(row["average_reward"]) for row in rows) / len(rows)
    return f"{evaluation.plan.job.policy}: success {success.text()}, reward {reward:.2f}"
