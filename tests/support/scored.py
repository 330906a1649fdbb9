"""Cells of a suite finished without their work: agents that succeed at a rate by arm, and trainings that scatter a little."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.engine import Failure, Tick
from trunkzoo.suites.layout import report_rows, selection_rows
from trunkzoo.suites.plan import seeds_of

FOUND: dict[str, dict[str, Any]] = {
    "smoke": {
        "parameters": 2_000_000,
        "trunk_parameters": 1_000_000,
        "head_parameters": 500_000,
        "multiply_adds": 3_000_000,
        "cond_dim": 8,
        "feature_map": [8, 1, 1],
    },
    "train": {"train_seconds": 65.0},
    "evaluate": {"selection": {"2": 0.25, "4": 0.5}, "chosen": 4, "latency_ms": 3.0},
}
"""What a finished cell of each kind tells."""


class Scorer:
    """An engine that finishes cells at once; its agents succeed at a rate by arm, the start of their cells' labels."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        self.trained: list[str] = []
        self._rates = rates

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """Finish the cells."""
        for cell in cells:
            cell.prepare()
            if cell.kind == "train":
                self.trained.append(cell.label)
            if cell.kind == "evaluate":
                rate = next(rate for arm, rate in self._rates.items() if cell.label.startswith(arm))
                _score(cell, "agent", rate)
            if cell.kind == "floor":
                _score(cell, cell.inputs["policy"], 0.0)
            write_json(cell.directory / "done.json", FOUND.get(cell.kind, {}))
        return []


def _score(cell: Cell, policy: str, rate: float) -> None:
    """Rows of one training or floor, the same ones for the same label."""
    rng = np.random.default_rng(crc32(cell.label.encode()))
    rate += 0.03 * rng.normal()
    _write(report_rows(cell.directory, policy), 4, seeds_of(cell.inputs["report"]), rate, rng)
    for step in FOUND["evaluate"]["selection"] if cell.kind == "evaluate" else ():
        _write(selection_rows(cell.directory, int(step)), int(step), seeds_of(cell.inputs["selection"]), rate, rng)


def _write(path: Path, step: int, seeds: Sequence[int], rate: float, rng: np.random.Generator) -> None:
    won = (rng.random(len(seeds)) < rate).tolist()
    rows = [
        {"seed": seed, "step": step, "success": w, "average_reward": 0.5 * w, "max_reward": float(w)}
        for seed, w in zip(seeds, won, strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
