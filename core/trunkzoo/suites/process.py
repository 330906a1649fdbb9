"""A cell in a process of its own: ``python -m trunkzoo.suites CELL_DIRECTORY``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO

from trunkzoo.errors import ZooError
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import LOG
from trunkzoo.system.locks import take
from trunkzoo.system.processes import thread_limits

LEAVE_SECONDS = 60.0  # a training that is asked to leave saves first


class CellProcess:
    """The process of a running cell, started on construction; its output goes to the log in the cell's directory."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        cell.prepare()
        with (cell.directory / LOG).open("ab") as log:
            _wait_for(cell, log)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trunkzoo.suites", str(cell.directory)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **thread_limits(cell.slots)},
                start_new_session=True,  # a Ctrl-C reaches us alone; the cell then saves
            )

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int:
        """Of a process that was waited for, as a shell has it: 128 and the number of the signal that ended it."""
        code = self._process.returncode
        return 128 - code if code < 0 else code

    def ask_to_leave(self) -> None:
        """Close its standard input, which it watches."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the process to end; kill it after ``seconds``."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.ask_to_leave()  # the process has ended: this only closes our end of the pipe

    def last_words(self) -> str:
        """Exit code and the last line of the log of a process that was waited for."""
        log = self.cell.directory / LOG
        line = log.read_text(errors="replace").strip().split("\n")[-1]
        return f"exit code {self._process.returncode}: {line} (log: {log})"


def is_running(cell: Cell) -> bool:
    """Whether a process works on the cell now, here or under another `zoo suite run`: it shares the lock of its log."""
    try:
        with (cell.directory / LOG).open("rb") as log:
            return not take(log, shared=True)
    except FileNotFoundError:
        return False


def _wait_for(cell: Cell, log: BinaryIO) -> None:
    """Take the cell over from a process of a killed run, which saves and leaves.

    Raises:
        ZooError: it does not leave.
    """
    deadline = time.monotonic() + LEAVE_SECONDS
    while not take(log):  # a living process shares this lock
        if time.monotonic() > deadline:
            raise ZooError(f"a process of an earlier run still works on '{cell.title}' in {cell.directory}; end it")
        time.sleep(0.2)


def stop_all(running: Sequence[CellProcess]) -> None:
    """Ask processes to save and leave, and wait for them."""
    for process in running:
        process.ask_to_leave()
    deadline = time.monotonic() + LEAVE_SECONDS
    for process in running:
        process.wait(max(0.0, deadline - time.monotonic()))
