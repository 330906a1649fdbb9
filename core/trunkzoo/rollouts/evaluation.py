"""Run the episodes of one or many plans, and keep their rows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trunkzoo.errors import TaskError, UsageError
from trunkzoo.rollouts.job import Item
from trunkzoo.rollouts.plan import Plan
from trunkzoo.rollouts.pool import STALL_SECONDS, run_items
from trunkzoo.rollouts.rows import Row, RowFile, make_row
from trunkzoo.rollouts.worker import Done

if TYPE_CHECKING:
    from trunkzoo.rollouts.live import LiveFrame

OnRow = Callable[["Evaluation", Row], None]
OnFrame = Callable[["LiveFrame"], None]


def _say_nothing(evaluation: Evaluation, row: Row) -> None:
    """What happens to a finished row where no progress is shown: nothing."""


def _show_nothing(frame: LiveFrame) -> None:
    """What happens to a frame where nobody watches: nothing."""


@dataclass(eq=False)  # each is itself alone, and a key of tables
class Evaluation:
    """Episodes of one plan: the seeds asked for and the rows so far."""

    plan: Plan
    seeds: Sequence[int]
    file: Path | None = None
    """Where rows are kept; what is there already is not run again."""
    films: Path | None = None
    """Directory of videos."""
    filmed: int = 0
    """How many of the first seeds are filmed."""
    live: bool = False
    """Whether frames of running episodes are wanted."""
    rows: dict[int, Row] = field(default_factory=dict)
    chunk_ms: list[float] = field(default_factory=list)
    """Milliseconds of every chunk prediction, rendering left out."""
    resumed: int = 0
    """Rows that were in the file already."""

    @property
    def ordered(self) -> list[Row]:
        """Rows in the order of the seeds."""
        return [self.rows[seed] for seed in self.seeds if seed in self.rows]

    @property
    def latency_ms(self) -> float | None:
        """Median milliseconds per chunk; None for a policy that predicts no chunks."""
        return statistics.median(self.chunk_ms) if self.chunk_ms else None

    def items(self) -> list[Item]:
        """Episodes still to run or to film; one that is run again gives the same row."""
        films = {seed: self.films / f"seed-{seed}.mp4" for seed in self.seeds[: self.filmed]} if self.films else {}
        unseen = {seed: path for seed, path in films.items() if not path.exists()}
        todo = [seed for seed in self.seeds if seed not in self.rows or seed in unseen]
        return [Item(self.plan.job, seed, unseen.get(seed), self.live) for seed in todo]


def run(
    evaluations: Sequence[Evaluation],
    workers: int,
    on_row: OnRow = _say_nothing,
    stall_seconds: float = STALL_SECONDS,
    on_frame: OnFrame = _show_nothing,
) -> None:
    """Fill in the rows of all evaluations with one pool of workers; ``on_frame`` gets the frames of those that are live.

    Rows are appended to their files as episodes end and put in the order of their seeds at last, so a killed run
    continues and a finished file has the same bytes for any number of workers.
    """
    if workers < 1:
        raise UsageError(f"workers {workers}: at least one process must do the work", ["workers"])
    with ExitStack() as stack:
        files = {e: stack.enter_context(RowFile(e.file, e.plan.provenance)) for e in evaluations if e.file}
        for evaluation in evaluations:
            if evaluation.file:
                evaluation.rows.update(files[evaluation].rows_of(evaluation.seeds))
                evaluation.resumed = len(evaluation.rows)
                evaluation.chunk_ms.extend(files[evaluation].chunk_ms)
        owner = {item: evaluation for evaluation in evaluations for item in evaluation.items()}
        for item, done in run_items(list(owner), workers, stall_seconds):
            evaluation = owner[item]
            if not isinstance(done, Done):
                on_frame(done)
                continue
            row = json.loads(json.dumps(make_row(done.episode, evaluation.plan.provenance)))  # as a reader sees it
            _check_repeats(evaluation.rows.setdefault(item.seed, row), row)
            evaluation.chunk_ms.extend(done.latencies)
            if evaluation.file:
                files[evaluation].append(row, done.latencies)
            on_row(evaluation, row)
        for file in files.values():
            file.finish()


def _check_repeats(before: Row, now: Row) -> None:
    different = [f"{key} was {before.get(key)}, is {now[key]}" for key in now if before.get(key) != now[key]]
    if different:
        raise TaskError(
            f"episode {now['seed']} of {now['task']} was played again and {'; '.join(different)}: "
            "either its row was changed by hand, or it is no function of its seed"
        )
