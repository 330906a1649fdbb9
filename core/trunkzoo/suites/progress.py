"""One bar per running cell, on stderr, in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from trunkzoo.suites.cells import Cell
from trunkzoo.suites.work import progress_of


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

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def update(self, running: Sequence[Cell]) -> None:
        """Show the running cells and hide the others."""
        shown = {cell.key for cell in running}
        for cell in running:
            done, total, remark = progress_of(cell)
            task = self._tasks[cell.key]
            self._bars.start_task(task)
            self._bars.update(task, completed=done, total=total or None, remark=remark, visible=True)
        for key in self._tasks.keys() - shown:
            self._bars.update(self._tasks[key], visible=False)
