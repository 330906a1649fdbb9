"""Result rows: one JSON line per episode, its scores and all that decided them, appended as episodes end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trunkzoo.errors import DataError, UsageError
from trunkzoo.plain import parse_table
from trunkzoo.rollouts.job import EpisodeResult
from trunkzoo.system.files import readable_os_errors, write_text
from trunkzoo.system.locks import take

Row = dict[str, Any]
_NUMBERS = ("success", "return", "average_reward", "max_reward", "steps")  # of every row
LAST_NUMBER = '"steps": '  # the last that :func:`make_row` writes before the provenance


def make_row(episode: EpisodeResult, provenance: Mapping[str, Any]) -> Row:
    """One row: the episode's numbers, then where they come from. No times and no worker: rows repeat exactly."""
    return {
        "seed": episode.seed,
        "success": episode.success,
        "success_step": episode.success_step,
        "return": episode.total_reward,
        "average_reward": episode.average_reward,
        "max_reward": episode.max_reward,
        "steps": episode.steps,
        **provenance,
    }


def read_rows(path: Path) -> list[Row]:
    """Rows of a file, in its order; a last line cut by a kill is left out.

    Raises:
        DataError: there is no such file, or another line is no JSON object with an integer as seed.
    """
    if not path.is_file():
        raise DataError(f"no result rows at {path}; `zoo eval` writes them")
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows: list[Row] = []
    shared: dict[str, Row] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _parse(line, shared)
            if not isinstance(row["seed"], int):
                raise TypeError("a seed is an integer")
        except (ValueError, KeyError, TypeError):
            if number == len(lines):  # no newline after it: the process died while writing
                break
            raise DataError(f"{path}:{number} is no result row; the file was not written by `zoo eval`") from None
        rows.append(row)
    return rows


def _parse(line: str, shared: dict[str, Row]) -> Row:
    """The row of a line; ``shared`` keeps the provenance parsed, by its text, which is equal in all lines of an evaluation.

    An object that is cut at a comma between its own values is two objects. A cut elsewhere leaves none, and the line is
    parsed whole.
    """
    own, name, rest = line.partition(LAST_NUMBER)
    steps, comma, provenance = rest.partition(", ")
    if not comma:
        return parse_table(line)
    try:
        numbers = parse_table(f"{own}{name}{steps}}}")
        if provenance not in shared:
            shared[provenance] = parse_table(f"{{{provenance}")
    except ValueError:
        return parse_table(line)
    return numbers | shared[provenance]


def times_file(rows: Path) -> Path:
    """Where the milliseconds per chunk of each episode lie, beside a file of rows."""
    return rows.with_name(rows.name + ".ms")


class RowFile:
    """An append-only file of rows, and beside it ``….ms`` with the milliseconds per chunk of each episode.

    Entering opens it for one process alone and checks that its rows come from the same evaluation.

    Raises:
        UsageError: it cannot be written, another process writes to it, or a row's provenance differs.
        DataError: a row is damaged.
    """

    def __init__(self, path: Path, provenance: Mapping[str, Any]) -> None:
        self._path, self._times = path, times_file(path)
        self._provenance = json.loads(json.dumps(provenance))
        self._rows: dict[int, Row] = {}
        self.chunk_ms: list[float] = []

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {self._path}: {error.strerror}") from None
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise
        return self

    def _begin(self) -> None:
        self._lock()
        self._rows = {int(row["seed"]): row for row in read_rows(self._path)}
        for row in self._rows.values():
            self._check(row)
        _cut_half_line(self._path)
        if self._times.exists():
            _cut_half_line(self._times)
            self.chunk_ms = [ms for row in read_rows(self._times) for ms in _milliseconds(row)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with readable_os_errors(self._path):  # what a full disk did not take is tried once more
            self._file.close()  # releases the lock

    def rows_of(self, seeds: Iterable[int]) -> dict[int, Row]:
        """Rows that are there already, for these seeds."""
        return {seed: self._rows[seed] for seed in seeds if seed in self._rows}

    def append(self, row: Row, chunk_ms: Sequence[float]) -> None:
        """Add one row and hand it to the operating system, so that a kill loses none.

        Raises:
            DiskError: the disk is full; what it took of the row is cut off when the file is continued.
        """
        self._rows[int(row["seed"])] = row
        if chunk_ms:
            with readable_os_errors(self._times), self._times.open("a", encoding="utf-8") as times:
                times.write(json.dumps({"seed": row["seed"], "chunk_ms": [round(ms, 3) for ms in chunk_ms]}) + "\n")
        with readable_os_errors(self._path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def finish(self) -> None:
        """Put the rows in the order of their seeds."""
        write_text(self._path, "".join(json.dumps(self._rows[seed]) + "\n" for seed in sorted(self._rows)))

    def _lock(self) -> None:
        if not take(self._file):
            raise UsageError(f"another evaluation is writing {self._path}; wait for it or give another file", ["file"])

    def _check(self, row: Row) -> None:
        for key in _NUMBERS:
            if not isinstance(row.get(key), int | float):
                raise DataError(f"{self._path}: {key} of seed {row['seed']} is no number; remove that line")
        for key, value in self._provenance.items():
            if row.get(key) != value:
                then, now = differing(row.get(key), value)
                raise UsageError(
                    f"{self._path} holds episodes of another evaluation: {key} of seed {row['seed']} is "
                    f"{_short(then)}, now {_short(now)}. Give another file, or delete this one",
                    ["file"],
                )


def _milliseconds(row: Row) -> list[float]:
    """The times of a row; none where the file was edited, which costs no result."""
    times = row.get("chunk_ms")
    return [ms for ms in times if isinstance(ms, int | float)] if isinstance(times, list) else []


def _cut_half_line(path: Path) -> None:
    """Drop what a kill or a full disk left of a last line."""
    os.truncate(path, path.read_bytes().rfind(b"\n") + 1)


def differing(mine: Any, other: Any) -> tuple[Any, Any]:
    """Both values for a message; of two tables only the entries that differ."""
    if not (isinstance(mine, dict) and isinstance(other, dict)):
        return mine, other
    keys = [key for key in {**mine, **other} if mine.get(key) != other.get(key)]
    return {key: mine.get(key) for key in keys}, {key: other.get(key) for key in keys}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
