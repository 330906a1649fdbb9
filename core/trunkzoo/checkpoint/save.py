"""Save an agent: a lone model file, or a checkpoint with the training state and a manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from trunkzoo.checkpoint.layout import MANIFEST, MODEL, TRAINING_STATE
from trunkzoo.checkpoint.manifest import write_manifest
from trunkzoo.checkpoint.migrations import FORMAT
from trunkzoo.checkpoint.parts import use_of
from trunkzoo.checkpoint.tensors import write_tensors
from trunkzoo.system.files import new_directory, new_file, readable_os_errors
from trunkzoo.system.versions import library_versions

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent


class TrainingState(NamedTuple):
    """What continuing a training needs beyond the acting weights."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def save_model(
    path: Path,
    agent: Agent,
    step: int = 0,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the lone ``model.safetensors`` that rebuilds ``agent``.

    ``weights`` replace the agent's own state dict (the averaged ones, say); ``step`` counts optimiser steps.

    Raises:
        DiskError, UsageError: the disk is full, or not writable; an older file is untouched.
    """
    with readable_os_errors(path), new_file(path) as temporary:
        write_tensors(temporary, weights or agent.state_dict(), metadata_of(agent, step))


def save_checkpoint(
    directory: Path,
    agent: Agent,
    training_state: TrainingState | None = None,
    step: int = 0,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint directory: the model, the training state if given, and the manifest last.

    Raises:
        DiskError, UsageError: ``directory`` exists, or the disk is full or not writable; nothing half remains.
    """
    with readable_os_errors(directory), new_directory(directory) as temporary:
        write_checkpoint(temporary, agent, training_state, step, weights)


def write_checkpoint(
    directory: Path,
    agent: Agent,
    training_state: TrainingState | None = None,
    step: int = 0,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the files of a checkpoint into a directory that is there; until the manifest, the last one, it is none."""
    contents = {MODEL: (weights or agent.state_dict(), metadata_of(agent, step))}
    if training_state is not None:
        # a file of its own: acting needs no optimiser state
        contents[TRAINING_STATE] = (training_state.tensors, dict(training_state.metadata))
    (directory / MANIFEST).unlink(missing_ok=True)
    files = {name: write_tensors(directory / name, *content) for name, content in contents.items()}
    write_manifest(directory, step, files)


def metadata_of(agent: Agent, step: int) -> dict[str, str]:
    """The header of a model file as safetensors stores it: strings, JSON where there is structure."""
    return {
        "format": str(FORMAT),
        "step": str(step),
        "recipe": agent.recipe.model_dump_json(),
        "contract": agent.contract.model_dump_json(),
        "plugins": json.dumps([use_of(part).model_dump() for part in agent.parts]),
        "versions": json.dumps(library_versions()),
    }
