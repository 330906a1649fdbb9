"""Require equal conditions of the episodes that are compared: task, success rule, step cap, device, versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkzoo.errors import ZooError
from trunkzoo.rollouts.rows import Row, differing
from trunkzoo.suites.cells import Cell

CONDITIONS = ("task", "task_config", "success_rule", "max_steps", "noise_seed", "device", "versions")


def require_equal_conditions(runs: Sequence[tuple[Cell, Sequence[Row]]]) -> None:
    """Refuse rows that were made under different conditions, such as a success rule or a simulator that changed.

    Raises:
        ZooError: names the cell, the condition and both values.
    """
    first = runs[0][1][0]
    for cell, rows in runs:
        for row in rows:
            for key in CONDITIONS:
                if row.get(key) == first.get(key):
                    continue
                mine, other = differing(*_comparable(key, row.get(key), first.get(key)))
                if mine != other:
                    raise ZooError(
                        f"episode {row['seed']} of '{cell.title}' has {key} {mine}, of '{runs[0][0].title}' {other}: "
                        f"unequal conditions are not compared. Remove {cell.directory} and run the suite again"
                    )


def _comparable(key: str, mine: Any, other: Any) -> tuple[Any, Any]:
    """Of versions those that both have: the parts of two arms may come from different packages."""
    if key != "versions" or not isinstance(mine, dict) or not isinstance(other, dict):
        return mine, other
    both = mine.keys() & other.keys()
    return {name: mine[name] for name in both}, {name: other[name] for name in both}
