"""What is known of a trained agent, collected from its checkpoint, its run and its evaluations. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import CHECKPOINTS, model_file
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.export.record import sha256_of
from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.training.directory import is_begun, read_run
from trunkzoo.training.runs import checkpoint_scores

POLICIES = ("agent", "blind", "noop", "random", "expert")
_MACHINE = {"path"}  # keys that say where something lay on the machine that trained


@dataclass(frozen=True)
class AgentFacts:
    """A checkpoint and all that is told of it."""

    file: Path
    sha256: str
    header: CheckpointHeader
    run: dict[str, Any]
    """``run.json`` without paths: seed, data, sessions and the start; empty where the run is not at hand."""
    holdout_error: float | None
    rows: dict[str, list[Row]]
    """Evaluated episodes by policy, those of the floors too; empty lists are left out."""


def agent_facts(path: str | Path) -> AgentFacts:
    """Everything known of the agent of a run, a checkpoint or a ``model.safetensors``.

    Rows count only where they were played by these very weights.

    Raises:
        UsageError: there is no checkpoint.
        CheckpointError, DataError: it, its run or its rows are damaged.
    """
    file = model_file(Path(path))
    file = file.parent.resolve() / file.name
    header, _ = read_verified(file)
    digest = sha256_of(file)
    run = file.parents[2] if file.parents[1].name == CHECKPOINTS and is_begun(file.parents[2]) else None
    held = {each.step: each.holdout_error for each in checkpoint_scores(run)} if run else {}
    return AgentFacts(
        file=file,
        sha256=digest,
        header=header,
        run=_without_paths(read_run(run)) if run else {},
        holdout_error=held.get(header.step),
        rows={policy: rows for policy in POLICIES if (rows := _rows(file.parent, policy, digest))},
    )


def _rows(folder: Path, policy: str, digest: str) -> list[Row]:
    file = folder / f"eval-{policy}.jsonl"
    found = read_rows(file) if file.is_file() else []
    return [row for row in found if row.get("checkpoint_sha256") in (digest, None)]


def _without_paths(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_paths(value) if isinstance(value, Mapping) else value
        for key, value in facts.items()
        if key not in _MACHINE
    }
