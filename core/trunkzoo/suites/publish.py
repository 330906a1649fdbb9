"""Result rows to keep beside a paper: every episode of a suite, one JSON-lines file per arm, and an index of their cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.layout import INDEX, parts_of
from trunkzoo.suites.plan import ArmPlan, ForeignPlan, SuitePlan, TaskPlan
from trunkzoo.system.files import write_text


def publish(plan: SuitePlan, directory: Path, partial: bool = False) -> tuple[Path, ...]:
    """Write ``directory/<plugin>/<task>/<arm>.jsonl`` for every arm and floor, replacing what was there; returns the files.

    Each row is one episode as `zoo eval` writes it, with ``arm``, ``training_seed`` (null for floors) and ``part`` before
    it: ``selection`` scored every checkpoint, ``report`` and ``blind`` are the reported one on fresh seeds. With
    ``partial`` only what is finished is written. The index beside them has by key the results of the cells that the rows come
    from, so that another machine can go on.

    Raises:
        ZooError: a cell has no result yet.
    """
    files = [(task.name, name, rows) for task in plan.tasks for name, rows in _files(plan, task, partial)]
    written = tuple(_write(directory / task / f"{name}.jsonl", rows) for task, name, rows in files if rows)
    cells = [found for task in plan.tasks for found in _cells(task)]
    kept = [(arm, cell) for arm, cell in cells if not partial or cell.done() is not None]
    write_json(directory / INDEX, {cell.key: _entry(arm, cell) for arm, cell in kept})
    return written


def _cells(task: TaskPlan) -> Iterator[tuple[str, Cell]]:
    """The cells whose results a table needs, each with its arm; demonstrations are made again where they are."""
    for arm in task.arms:
        yield arm.label, arm.smoke
    for trained in task.trained:
        yield from ((trained.label, cell) for cell in (*trained.trains, *trained.evaluations))
    yield from task.floors.items()


def _entry(arm: str, cell: Cell) -> dict[str, Any]:
    return {"cell": cell.title, "arm": arm, "result": cell.result()}


def _files(plan: SuitePlan, task: TaskPlan, partial: bool) -> Iterator[tuple[str, list[Row]]]:
    for trained in task.trained:
        yield trained.label, list(_arm_rows(plan, trained, partial))
    for name, cell in task.floors.items():
        yield name, [{"arm": name, "training_seed": None, **row} for row in _cell_rows(cell, partial)]


def _arm_rows(plan: SuitePlan, arm: ArmPlan | ForeignPlan, partial: bool) -> Iterator[Row]:
    for seed, cell in zip(plan.config.training_seeds, arm.evaluations, strict=True):
        yield from ({"arm": arm.label, "training_seed": seed, **row} for row in _cell_rows(cell, partial))


def _cell_rows(cell: Cell, partial: bool) -> list[Row]:
    if partial and cell.done() is None:
        return []
    cell.result()
    rows = [{"part": part, **row} for part, path in parts_of(cell.directory) for row in read_rows(path)]
    return sorted(rows, key=lambda row: (row["part"], row["step"] or 0, row["seed"]))


def _write(path: Path, rows: list[Row]) -> Path:
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    return path
