"""Cells: the pieces of a suite. A cell's directory is named by a hash of all that decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from trunkzoo.errors import ZooError, one_line
from trunkzoo.plain import parse_table
from trunkzoo.suites.layout import CELL, DONE
from trunkzoo.system.files import readable_os_errors, write_text
from trunkzoo.system.locks import acquire

CellKind = Literal["smoke", "collect", "train", "evaluate", "floor", "latency"]


@dataclass(frozen=True)
class Cell:
    """One piece of work. ``inputs`` is JSON and complete: equal inputs, equal cell."""

    kind: CellKind
    label: str
    inputs: Mapping[str, Any]
    home: Path
    """Where the suite keeps its cells."""
    slots: int = 1
    """Processor cores it uses."""
    compile: bool = False
    """Whether a training goes through torch.compile, which as another processor does moves its result by rounding."""

    @cached_property
    def key(self) -> str:
        """The content address: twelve hexadecimal digits."""
        text = json.dumps({"kind": self.kind, **self.inputs}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def directory(self) -> Path:
        """Where everything of this cell lies."""
        readable = "".join(c if c.isalnum() or c in "-." else "-" for c in self.label)
        return self.home / f"{self.kind}-{readable}-{self.key}"

    @property
    def needs(self) -> frozenset[str]:
        """Keys of the cells whose results it reads."""
        return frozenset(str(self.inputs[name]) for name in ("data", "train") if name in self.inputs)

    @property
    def title(self) -> str:
        """How people call it."""
        return f"{self.kind} {self.label}"

    def done(self) -> dict[str, Any] | None:
        """The result, if the cell is finished.

        Raises:
            ZooError: its file is damaged.
        """
        path = self.directory / DONE
        if not path.is_file():
            return None
        try:
            return parse_table(path.read_bytes())
        except ValueError:
            raise ZooError(f"{path} is damaged; remove it, and `zoo suite run` finishes this cell again") from None

    def result(self) -> dict[str, Any]:
        """The result of a finished cell.

        Raises:
            ZooError: it is not finished.
        """
        done = self.done()
        if done is None:
            raise ZooError(f"cell '{self.title}' has no result yet; `zoo suite run` continues the suite")
        return done

    def prepare(self) -> None:
        """Make the directory and write down the inputs."""
        self.directory.mkdir(parents=True, exist_ok=True)
        facts = {"kind": self.kind, "label": self.label, "inputs": dict(self.inputs), "slots": self.slots}
        write_json(self.directory / CELL, {**facts, "compile": self.compile})


def read_cell(directory: Path) -> Cell:
    """The cell of a directory."""
    path = directory / CELL
    try:
        facts = parse_table(path.read_bytes())
        how = int(facts["slots"]), bool(facts["compile"])
        return Cell(facts["kind"], facts["label"], dict(facts["inputs"]), directory.parent, *how)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ZooError(f"{path} is damaged ({one_line(error)}); `zoo suite run` writes it again") from None


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def hold_suite(directory: Path) -> Iterator[None]:
    """Hold a suite's directory; the kernel lets go even after kill -9.

    Raises:
        ZooError: another `zoo suite run` holds it, or it cannot be written.
    """

    def busy(owner: str) -> ZooError:
        return ZooError(
            f"another `zoo suite run` (process {owner}) works in {directory}; wait for it or choose another directory",
            ["output"],
        )

    with readable_os_errors(directory):
        lock = acquire(directory / ".lock", busy)
    with lock:
        yield
