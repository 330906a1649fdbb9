"""File names of checkpoints and runs, and which checkpoint a path means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args

from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.hub.download import fetch
from trunkzoo.hub.names import is_hub_name, parse_hub_name

MODEL = "model.safetensors"
TRAINING_STATE = "training_state.safetensors"
MANIFEST = "manifest.json"
AGENT_FILES = (MODEL, MANIFEST, "provenance.json", "rows/*.jsonl")
"""What is read of an agent on the hub: safetensors and JSON, nothing else."""
CHECKPOINTS = "checkpoints"
BEST = "best"  # link to the checkpoint of the best score while training
AgentPart = Literal["trunk", "cameras", "head", "normalizers"]
"""What stands on its own in an agent: its trunks, its cameras' keypoints and projections, its head, its statistics."""
AGENT_PARTS: tuple[AgentPart, ...] = get_args(AgentPart)
_OF_LEROBOT = ("pretrained_model", "checkpoints/last/pretrained_model")  # in a checkpoint or a run of lerobot-train
_STEP = re.compile(r"step-(\d+)")


def step_name(step: int) -> str:
    """Directory name of the checkpoint after ``step`` optimiser steps."""
    return f"step-{step:06d}"


def checkpoints_of(run: Path) -> dict[int, Path]:
    """Finished checkpoints of a run directory by step, oldest first."""
    return {step: path for step, path in step_directories(run).items() if (path / MANIFEST).is_file()}


def step_directories(run: Path) -> dict[int, Path]:
    """All that is named like a checkpoint of a run directory, by step, oldest first."""
    folder = run / CHECKPOINTS
    if not folder.is_dir():
        return {}
    found = {int(match[1]): path for path in folder.iterdir() if (match := _STEP.fullmatch(path.name))}
    return {step: found[step] for step in sorted(found)}


def checkpoint_directory(path: Path) -> Path:
    """The checkpoint that a directory means: itself, or the newest one of a run directory, of lerobot's as well.

    Raises:
        UsageError: there is none.
        CheckpointError: it was never finished.
    """
    if (path / MANIFEST).is_file():
        return path
    if (path / MODEL).is_file():
        raise CheckpointError(
            f"{path} has {MODEL} but no {MANIFEST}, so the checkpoint was never finished or is only half copied; "
            f"copy all of it, or name the file itself if you trust it"
        )
    for inner in _OF_LEROBOT:
        if (path / inner / MANIFEST).is_file():
            return path / inner
    run = checkpoints_of(path)
    if not run:
        raise UsageError(f"{path} holds no checkpoint; expected {MODEL} and {MANIFEST}, or a run directory")
    return run[max(run)]


def why_this_one(run: Path) -> str:
    """Which checkpoint of a run directory is taken and what else there is, in a line; empty for any other path."""
    found = checkpoints_of(run)
    if not found or (run / MANIFEST).is_file():
        return ""
    newest, best = found[max(found)], run / CHECKPOINTS / BEST
    others = f", the newest of {len(found)}" if len(found) > 1 else ", the only one"
    other = best.exists() and best.resolve() != newest.resolve()
    hint = f"; the lowest held-out error, or else training loss, has {best} ({best.resolve().name})" if other else ""
    return f"{run}: takes {newest.name}{others}{hint}"


def model_file(path: Path) -> Path:
    """The ``model.safetensors`` that ``path`` means: a run directory, a checkpoint directory, the file itself, or an agent
    on the hub (``hf:ORG/NAME[@REVISION]``), which is fetched.

    Raises:
        UsageError: nothing is there, or a directory without a checkpoint.
        CheckpointError: the checkpoint was never finished.
        HubError: it is not on the hub, damaged, or out of reach.
    """
    if is_hub_name(path):
        return fetch(parse_hub_name(path), AGENT_FILES, (MODEL, MANIFEST)).folder / MODEL
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"no checkpoint at {path}; give a run directory, a checkpoint directory or a {MODEL}")
    return checkpoint_directory(path) / MODEL
