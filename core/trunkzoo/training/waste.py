"""What may be deleted without losing a result: leftovers of kills, decoded images, checkpoints that nothing refers to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trunkzoo.checkpoint.layout import CHECKPOINTS, checkpoints_of
from trunkzoo.system.files import LEFTOVER, clear_leftovers, remove
from trunkzoo.system.locks import is_held
from trunkzoo.system.places import cache_root
from trunkzoo.training.directory import LOCK
from trunkzoo.training.runs import find_runs, suite_of

Kind = Literal["leftover", "image cache", "old checkpoint"]


@dataclass(frozen=True)
class Waste:
    """One thing that may go, and why."""

    kind: Kind
    path: Path
    bytes: int
    why: str

    def delete(self) -> None:
        """Remove it; a checkpoint goes at once, never by halves, and a leftover that is still written stays."""
        if self.kind == "leftover":
            clear_leftovers(self.path.parent, self.path.name.partition(LEFTOVER)[0].removeprefix("."))
        elif self.kind == "old checkpoint":
            remove(self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def find_waste(directory: Path, keep: int = 1) -> Iterator[Waste]:
    """Everything below ``directory`` that may go.

    Of a run that nobody trains now, the newest ``keep`` checkpoints stay, with the one that ``best`` names, those that
    were evaluated, and all of a suite's, which needs every one that it scheduled.
    """
    for path in sorted(directory.rglob(f".*{LEFTOVER}*")):
        yield Waste("leftover", path, _size(path), "a killed process was writing it")
    for run in find_runs(directory):
        if suite_of(run) is None and not is_held(run / LOCK):
            yield from _old_checkpoints(run, keep)


def find_images() -> Iterator[Waste]:
    """The image cache, a part per dataset and size of images."""
    frames = cache_root() / "frames"
    for path in sorted(frames.iterdir()) if frames.is_dir() else ():
        if path.is_dir() and LEFTOVER not in path.name:
            yield Waste("image cache", path, _size(path), "decoded images; the next training decodes them again")


def _old_checkpoints(run: Path, keep: int) -> Iterator[Waste]:
    found = checkpoints_of(run)
    best = (run / CHECKPOINTS / "best").resolve()
    for step in list(found)[: -max(keep, 1)]:
        path = found[step]
        if path.resolve() != best and not any(path.glob("*.jsonl")):
            yield Waste("old checkpoint", path, _size(path), "neither among the newest, nor the best, nor evaluated")


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())
