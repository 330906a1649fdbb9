"""What travels between disks: the files that a cell reads, and those that it wrote; every file is checked by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trunkzoo.checkpoint.layout import TRAINING_STATE, checkpoints_of
from trunkzoo.errors import DataError
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import DATA, DONE, RUN
from trunkzoo.system.files import LEFTOVER, new_directory, new_file

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Parcel:
    """A file, or a directory that appears whole, with its bytes."""

    path: str
    """Below the directory that holds the cells."""
    files: Mapping[str, bytes]
    """Contents by name in the directory; of a file its own, by an empty name."""
    hashes: Mapping[str, str]
    """SHA-256 of each."""

    def unpack(self, home: Path) -> None:
        """Write it below ``home``; a directory that is there already stays, for equal inputs make equal results.

        Raises:
            DataError: a content is not what was packed, or would lie elsewhere.
        """
        target = home / self.path
        for name, content in self.files.items():
            if hashlib.sha256(content).hexdigest() != self.hashes.get(name):
                raise DataError(f"{target / name} arrived damaged: its hash is not that of the file that was sent")
            if not (target / name).resolve().is_relative_to(home.resolve()):
                raise DataError(f"{target / name} would lie outside of {home}; nothing is written there")
        if "" in self.files:
            with new_file(target) as hidden:
                hidden.write_bytes(self.files[""])
        elif not target.exists():
            with new_directory(target) as hidden:
                for name, content in self.files.items():
                    (hidden / name).parent.mkdir(parents=True, exist_ok=True)
                    (hidden / name).write_bytes(content)


def pack(home: Path, path: Path, without: str = "") -> Parcel:
    """Pack a file or a directory below ``home``, without the files of one name."""
    files = {_name(file, path): file.read_bytes() for file in _files(path) if file.name != without}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return Parcel(str(path.relative_to(home)), files, hashes)


def stamp(path: Path) -> Stamp:
    """Changes whenever a file or a directory of files does."""
    found = [(_name(file, path), file.stat()) for file in _files(path)]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def inputs_of(cell: Cell) -> Iterator[tuple[Path, str]]:
    """What a cell reads, each with the name of files that it does not need; all that it has written itself is among it.

    A training reads its demonstrations, and goes on from its newest checkpoint; an evaluation reads the agents that
    it scores, without what they would be trained on with.
    """
    checkpoints = list(checkpoints_of(cell.directory / RUN).values())
    yield from ((path, "") for path in outputs_of(cell) if path not in checkpoints[:-1])
    if cell.kind == "train":
        yield next(cell.home.glob(f"collect-*-{cell.inputs['data']}")) / DATA, ""
    if cell.kind == "evaluate":
        found = checkpoints_of(cell.home / str(cell.inputs["directory"]) / RUN)
        yield from ((found[step], TRAINING_STATE) for step in cell.inputs["checkpoints"] if step in found)


def outputs_of(cell: Cell) -> list[Path]:
    """What a cell has written so far, in an order in which it may arrive: the rows of a training before its checkpoints."""
    whole = [*checkpoints_of(cell.directory / RUN).values(), cell.directory / DATA]  # looked for first, sent last
    files = [*cell.directory.glob("*"), *(cell.directory / RUN).glob("*"), *cell.directory.glob("films/*")]
    named = [path for path in files if path.is_file() and not path.name.startswith(".") and path.name != DONE]
    return [*named, *(path for path in whole if path.is_dir())]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in sorted(path.rglob("*")) if file.is_file() and LEFTOVER not in file.name]


def _name(file: Path, path: Path) -> str:
    return "" if file == path else str(file.relative_to(path))
