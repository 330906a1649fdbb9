"""All that a finished suite measured, without what a clock says: two runs of one suite are compared by it."""

from __future__ import annotations

import hashlib
from typing import Any

from trunkzoo.rollouts import read_rows
from trunkzoo.suites.layout import parts_of
from trunkzoo.suites.plan import SuitePlan, every_cell
from trunkzoo.suites.results import read_results
from trunkzoo.training.metrics import WALL_CLOCK, read_metrics

_TIMES = {"train_seconds", "train_cpu_seconds", "latency_ms", "seconds"}


def evidence_of(plan: SuitePlan) -> dict[str, Any]:
    """The table, every row of every cell, the log of every training and the bytes of every checkpoint and dataset."""
    found: dict[str, Any] = {}
    for result in read_results(plan):
        facts = result.to_dict()
        arms = [{key: value for key, value in arm.items() if key not in _TIMES} for arm in facts.pop("arms")]
        found[result.plan.name] = {**facts, "arms": arms}
    for cell in every_cell(plan):
        found[cell.title] = {path.name: read_rows(path) for _, path in parts_of(cell.directory)}
        if cell.kind == "train":
            scheduled = [f"step-{step:06d}" for step in plan.config.checkpoint_steps]
            models = [cell.directory / "run" / "checkpoints" / name / "model.safetensors" for name in scheduled]
            found[cell.title] = {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in models}
            rows = read_metrics(cell.directory / "run")
            found[f"{cell.title}: log"] = [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in rows]
        if cell.kind == "collect":
            files = sorted((cell.directory / "data").rglob("*.parquet"))
            found[cell.title] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return found
