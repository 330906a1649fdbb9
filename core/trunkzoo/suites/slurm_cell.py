"""A cell as a job of SLURM, in which submitit calls it."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from trunkzoo.errors import ZooError
from trunkzoo.suites.cells import read_cell
from trunkzoo.suites.layout import LOG
from trunkzoo.suites.process import LEAVE_SECONDS, CellProcess, is_running

_POLL_SECONDS = 0.2


class SlurmCell:
    """Runs the cell of a directory in a process of its own, whose standard input it holds: SLURM's is closed."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._process: CellProcess | None = None

    def __call__(self) -> None:
        """Run the cell. The job ends with the exit code of the process, unless the cell is finished."""
        cell = read_cell(Path(self._directory))
        try:
            self._process = process = CellProcess(cell)
        except ZooError as error:
            with (cell.directory / LOG).open("a") as log:
                log.write(f"zoo: {error}\n")
            sys.exit(error.exit_code)
        signal.signal(signal.SIGTERM, self._leave)  # submitit ignores it, and it may reach us alone
        while not process.ended:  # not wait(), which a signal would interrupt with its lock held
            time.sleep(_POLL_SECONDS)
        process.wait()
        if cell.done() is None:
            sys.exit(process.exit_code)

    def checkpoint(self) -> Any:
        """Have the cell save and leave; returns what submitit runs once the job was queued again."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.ask_to_leave()
            deadline = time.monotonic() + LEAVE_SECONDS
            while is_running(self._process.cell) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        return DelayedSubmission(SlurmCell(self._directory))

    def _leave(self, number: int, frame: FrameType | None) -> None:
        """SLURM will end or requeue this job: the cell saves and leaves, and then so do we."""
        if self._process is not None:
            self._process.ask_to_leave()
