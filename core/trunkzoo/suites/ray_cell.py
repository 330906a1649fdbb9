"""A cell on a node of a Ray cluster: in the suite's directory where the node sees it, else in one of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trunkzoo.suites.cells import Cell, read_cell
from trunkzoo.suites.layout import DONE
from trunkzoo.suites.process import CellProcess
from trunkzoo.suites.travel import Parcel, Stamp, outputs_of, pack, stamp

_LOOK_SECONDS = 2.0  # between two looks at what a cell has written


def sees(mark: str, content: str) -> bool:
    """Whether this node sees the file ``mark`` of the machine that runs the suite."""
    try:
        return Path(mark).read_text(encoding="utf-8") == content
    except OSError:
        return False


def run_directory(mark: str, content: str, directory: str, parcels: Sequence[Any]) -> Iterator[Parcel | str]:
    """Run one cell in a process on this node; yields what it wrote, if that must travel, and its last words at the end.

    ``parcels`` are Ray's references to what the cell reads, which are fetched one after the other where they are needed.
    """
    import ray

    if sees(mark, content):
        process = CellProcess(read_cell(Path(directory)))
        process.wait()
        yield process.last_words()
    elif not parcels:
        yield f"this node does not see {mark}"  # it came after the others were asked
    else:
        with tempfile.TemporaryDirectory(prefix="trunkzoo-cell-", ignore_cleanup_errors=True) as folder:
            yield from run_away(Path(folder), Path(directory), map(ray.get, parcels))


def run_away(home: Path, directory: Path, parcels: Iterable[Parcel]) -> Iterator[Parcel | str]:
    """Run the cell of ``directory``, of another disk, below ``home``; ``parcels`` are what it reads. Yields as above."""
    for parcel in parcels:
        parcel.unpack(home)
    cell = read_cell(home / directory.name)
    sent = {path: stamp(path) for path in outputs_of(cell)}
    process = CellProcess(cell)
    try:
        while not process.ended:
            time.sleep(_LOOK_SECONDS)
            yield from _news(cell, sent)
        process.wait()
        yield from _news(cell, sent)
        if (cell.directory / DONE).is_file():
            yield pack(home, cell.directory / DONE)
        yield process.last_words().replace(str(home), str(directory.parent))
    finally:
        process.ask_to_leave()


def _news(cell: Cell, sent: dict[Path, Stamp]) -> Iterator[Parcel]:
    """What was written since it was ``sent``."""
    for path in outputs_of(cell):
        try:
            now = stamp(path)
            if sent.get(path) != now:
                parcel = pack(cell.home, path)
                sent[path] = now
                yield parcel
        except FileNotFoundError:  # it was moved on while we looked
            continue
