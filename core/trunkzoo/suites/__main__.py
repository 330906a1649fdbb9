"""``python -m trunkzoo.suites CELL_DIRECTORY``: one cell in its own process, as all engines start it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from trunkzoo.errors import ZooError, printable_lines
from trunkzoo.registry import open_zoo
from trunkzoo.suites.cells import read_cell
from trunkzoo.suites.work import run_cell


def main() -> None:
    """Run the cell; leave when the engine is gone, which closes our standard input."""
    signal.signal(signal.SIGTERM, _exit_on_signal)  # a training replaces it by its own: save, then leave
    for number in (signal.SIGUSR1, signal.SIGUSR2):  # by which SLURM warns a whole job: who started us closes our input
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, daemon=True).start()
    try:
        run_cell(read_cell(Path(sys.argv[1])), open_zoo())
    except ZooError as error:
        print(f"zoo: {printable_lines(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # SLURM sends one, and who started us then closes our input
    sys.exit(128 + number)  # runs the finally clauses, which end worker processes


def _watch_parent() -> None:
    while os.read(0, 1):  # empty once the last writer of the pipe is gone, however it ended
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
