"""Published rows read again: finished cells of another machine, and the scores in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkzoo.errors import DataError, UsageError
from trunkzoo.plain import parse_table
from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.layout import DONE, INDEX, report_rows, selection_rows
from trunkzoo.suites.plan import SuitePlan, TaskPlan
from trunkzoo.system.files import write_text

PARTS = ("report", "selection", "blind")
OWN = ("arm", "training_seed", "part")  # what publishing put before a row


def adopt(plan: SuitePlan, directory: Path) -> int:
    """Take published cells of the same key as done; returns how many evaluations and floors there were.

    A cell that is done here stays as it is. A training that is taken over has no checkpoints here: only its scores count.

    Raises:
        UsageError: the directory has no index; rows that were published without one cannot be taken over.
        DataError: the rows of a cell in the index are not there.
    """
    index, taken = _index(directory), 0
    for task in plan.tasks:
        for label, seed, train, evaluation in _trained(plan, task, index):
            published_as = index[evaluation.key].get("arm", label)
            if _take(evaluation, index, _rows(directory / task.name / f"{published_as}.jsonl", seed)):
                _finish(train, index)
                taken += 1
        for smoke in (arm.smoke for arm in task.arms if arm.smoke.key in index):
            _finish(smoke, index)
        for name, cell in task.floors.items():
            taken += cell.key in index and _take(cell, index, _rows(directory / task.name / f"{name}.jsonl", None))
    return taken


def published_keys(plan: SuitePlan, directory: Path) -> set[str]:
    """Keys of the cells that :func:`adopt` would take as done; nothing is written.

    Raises:
        UsageError: the directory has no index.
    """
    index = _index(directory)
    found = {arm.smoke.key for task in plan.tasks for arm in task.arms}
    found |= {cell.key for task in plan.tasks for cell in task.floors.values()}
    pairs = [pair for task in plan.tasks for _, _, *pair in _trained(plan, task, index)]
    return (found & index.keys()) | {cell.key for pair in pairs for cell in pair}


def _trained(plan: SuitePlan, task: TaskPlan, index: dict[str, Any]) -> Iterator[tuple[str, int, Cell, Cell]]:
    """Arm, training seed, training and evaluation of those whose evaluation was published with its training."""
    for arm in task.trained:
        for seed, train, evaluation in zip(plan.config.training_seeds, arm.trains, arm.evaluations, strict=True):
            if {train.key, evaluation.key} <= index.keys():
                yield arm.label, seed, train, evaluation


def _index(directory: Path) -> dict[str, Any]:
    path = directory / INDEX
    if not path.is_file():
        raise UsageError(
            f"no {INDEX} in {directory}: only rows that `zoo suite publish` wrote with it can be taken over"
        )
    try:
        index = parse_table(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); publish again") from None
    if not all(_is_entry(entry) for entry in index.values()):
        raise DataError(f"{path} has a cell without a result, or of an arm that names no file; publish again")
    return index


def _is_entry(entry: object) -> bool:
    """Whether it holds a result, and the label of an arm if any."""
    if not isinstance(entry, dict) or not isinstance(entry.get("result"), dict):
        return False
    return re.fullmatch(r"[^/\\\0]*", str(entry.get("arm", ""))) is not None


def _rows(file: Path, seed: int | None) -> list[Row]:
    found = [row for row in read_rows(file) if _checked(row, file).get("training_seed") == seed]
    if not found:
        raise DataError(f"{file} has no rows of training seed {seed}, which the index beside it names; publish again")
    return found


def _checked(row: Row, file: Path) -> Row:
    """The row, once what publishing put before it, which names files here, is what it puts there."""
    whole = isinstance(row.get("training_seed"), int | None) and isinstance(row.get("step"), int | None)
    if not whole or row.get("part") not in PARTS or (row["part"] == "selection" and row.get("step") is None):
        raise DataError(f"{file}: the row of seed {row['seed']} is none that `zoo suite publish` wrote; publish again")
    return row


def _take(cell: Cell, index: dict[str, Any], rows: list[Row]) -> bool:
    """Write the rows where the cell would have written them; False if it is done here."""
    if cell.done() is not None:
        return False
    cell.prepare()
    files: dict[Path, list[Row]] = {}
    for row in rows:
        files.setdefault(_file(cell, row), []).append({key: value for key, value in row.items() if key not in OWN})
    for path, of in files.items():
        write_text(path, "".join(json.dumps(row) + "\n" for row in of))
    _finish(cell, index)
    return True


def _file(cell: Cell, row: Row) -> Path:
    """Where a row lay before it was published."""
    if row["part"] == "selection":
        return selection_rows(cell.directory, row["step"])
    policy = cell.inputs["policy"] if cell.kind == "floor" else "blind" if row["part"] == "blind" else "agent"
    return report_rows(cell.directory, policy)


def _finish(cell: Cell, index: dict[str, Any]) -> None:
    if cell.done() is None:
        cell.prepare()
        write_json(cell.directory / DONE, {**index[cell.key]["result"], "taken_over": True})


def runs_of(directory: Path, task: str) -> dict[str, list[list[Row]]]:
    """Report rows of every trained arm on a task, by label, a list for each training seed.

    Raises:
        UsageError: there are none.
    """
    found = dict(_runs(directory / task))
    if not found:
        raise UsageError(f"no rows of trainings in {directory / task}; `zoo suite publish` writes them")
    return found


def _runs(folder: Path) -> Iterator[tuple[str, list[list[Row]]]]:
    for path in sorted(folder.glob("*.jsonl")):
        rows = [row for row in read_rows(path) if row.get("part") == "report"]
        rows = [row for row in rows if isinstance(row.get("training_seed"), int)]
        seeds = sorted({int(row["training_seed"]) for row in rows})
        if seeds:
            yield path.stem, [[row for row in rows if row["training_seed"] == seed] for seed in seeds]
