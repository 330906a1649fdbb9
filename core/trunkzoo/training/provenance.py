"""Provenance of a training run: recipe, seed, fingerprint of the data, versions and state of the code."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trunkzoo.registry.recipe import Recipe
from trunkzoo.system.versions import library_versions
from trunkzoo.training.batches import Windows
from trunkzoo.training.config import RunConfig
from trunkzoo.training.remarks import source_of


def facts_of(run: RunConfig, recipe: Recipe, windows: Windows, start: dict[str, Any] | None) -> dict[str, Any]:
    """What must stay the same while a run is resumed: the recipe with every default, the seed, the data, the start."""
    return {
        **({"start": start} if start else {}),
        "recipe": recipe.model_dump(mode="json"),
        "seed": run.seed,
        "data": {
            "path": str(run.data.resolve()),
            "content": content_of(windows),
            "source": source_of(run.data, recipe.contract, run.cameras),
        },
    }


def content_of(windows: Windows) -> dict[str, Any]:
    """A fingerprint of the data: the number of windows, a hash of the statistics, and one of each camera's images."""
    stats = json.dumps(windows.stats, sort_keys=True, default=list)
    digest = hashlib.sha256(stats.encode()).hexdigest()[:16]
    return {"windows": len(windows), "stats": digest, "images": dict(windows.images)}


def session_of(step: int, device: str, processes: int, threads: int | None) -> dict[str, Any]:
    """What may differ between the sessions of a run."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "from_step": step,
        "device": device,
        "processes": processes,
        "threads": threads,
        "versions": library_versions(),
        "code": git_state(Path.cwd()),
    }


def git_state(directory: Path) -> dict[str, Any] | None:
    """Commit of the user's code and whether it has changes, or None outside a git work tree."""
    commit = _git(directory, "rev-parse", "HEAD")
    return None if commit is None else {"commit": commit, "changed": bool(_git(directory, "status", "--porcelain"))}


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(directory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git, or a file system that hangs: then it stays unknown
        return None
    return done.stdout.strip() if done.returncode == 0 else None
