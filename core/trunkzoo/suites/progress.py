"""One bar per running cell, on stderr; outside a terminal a plain line a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from trunkzoo.suites.cells import Cell
from trunkzoo.suites.work import progress_of

PLAIN_SECONDS = 60.0


class CellBars:
    """Bars that read what the cells have written so far."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._bars = Progress(
            TextColumn("    {task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[remark]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks = {
            cell.key: self._bars.add_task(cell.title, start=False, visible=False, total=None, remark="")
            for cell in cells
        }

        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def update(self, running: Sequence[Cell]) -> None:
        """Show the running cells and hide the others."""
        if self._bars.disable:
            self._say(running)
            return
        shown = {cell.key for cell in running}
        for cell in running:
            done, total, remark = progress_of(cell)
            task = self._tasks[cell.key]
            self._bars.start_task(task)
            self._bars.update(task, completed=done, total=total or None, remark=remark, visible=True)
        for key in self._tasks.keys() - shown:
            self._bars.update(self._tasks[key], visible=False)

    def _say(self, running: Sequence[Cell]) -> None:
        if time.monotonic() - self._said < PLAIN_SECONDS:
            return
        self._said = time.monotonic()
        parts = [(cell.title, *progress_of(cell)) for cell in running]
        line = "; ".join(f"{title} {done}/{total} {remark}".rstrip() for title, done, total, remark in parts)
        print(f"    {line}", file=sys.stderr, flush=True)
