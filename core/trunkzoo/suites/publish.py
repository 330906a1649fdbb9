"""Result rows to keep beside a paper: every episode of a finished suite, one JSON-lines file per arm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import parts_of
from trunkzoo.suites.planning import ArmPlan, SuitePlan, TaskPlan
from trunkzoo.system.files import write_text


def publish(plan: SuitePlan, directory: Path) -> tuple[Path, ...]:
    """Write ``directory/<plugin>/<task>/<arm>.jsonl`` for every arm and floor, replacing what was there; returns the files.

    Each row is one episode as `zoo eval` writes it, with ``arm``, ``training_seed`` (null for floors) and ``part`` before
    it: ``selection`` chose the checkpoint, ``report`` and ``blind`` are the chosen checkpoint on fresh seeds.

    Raises:
        ZooError: a cell has no result yet.
    """
    return tuple(
        _write(directory / task.name / f"{name}.jsonl", rows)
        for task in plan.tasks
        for name, rows in _files(plan, task)
    )


def _files(plan: SuitePlan, task: TaskPlan) -> Iterator[tuple[str, list[Row]]]:
    for arm in task.arms:
        yield arm.label, list(_arm_rows(plan, arm))
    for name, cell in task.floors.items():
        yield name, [{"arm": name, "training_seed": None, **row} for row in _cell_rows(cell)]


def _arm_rows(plan: SuitePlan, arm: ArmPlan) -> Iterator[Row]:
    for seed, cell in zip(plan.config.training_seeds, arm.evaluations, strict=True):
        yield from ({"arm": arm.label, "training_seed": seed, **row} for row in _cell_rows(cell))


def _cell_rows(cell: Cell) -> list[Row]:
    cell.result()
    rows = [{"part": part, **row} for part, path in parts_of(cell.directory) for row in read_rows(path)]
    return sorted(rows, key=lambda row: (row["part"], row["step"] or 0, row["seed"]))


def _write(path: Path, rows: list[Row]) -> Path:
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    return path
