"""Writing checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from trunkzoo.checkpoint.header import PluginUse
from trunkzoo.checkpoint.layout import MODEL, TRAINING_STATE
from trunkzoo.checkpoint.manifest import write_manifest
from trunkzoo.checkpoint.migrations import FORMAT
from trunkzoo.checkpoint.tensors import write_tensors
from trunkzoo.system.files import explained, new_directory, new_file
from trunkzoo.system.versions import library_versions

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent
    from trunkzoo.catalogue.catalogue import Catalogue, Kind
    from trunkzoo.registry.recipe import Part, Recipe


class TrainingState(NamedTuple):
    """What continuing a training needs beyond the acting weights."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def save_model(
    path: Path,
    agent: Agent,
    catalogue: Catalogue | None = None,
    step: int = 0,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the lone ``model.safetensors`` that rebuilds ``agent``.

    ``weights`` replace the agent's own state dict (the averaged ones, say); ``step`` counts optimiser steps.

    Raises:
        DiskError, UsageError: the disk is full, or not writable; an older file is untouched.
    """
    with explained(path), new_file(path) as temporary:
        write_tensors(temporary, weights or agent.state_dict(), metadata_of(agent.recipe, catalogue, step))


def save_checkpoint(
    directory: Path,
    agent: Agent,
    training_state: TrainingState | None = None,
    catalogue: Catalogue | None = None,
    step: int = 0,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint directory: the model, the training state if given, and the manifest last.

    Raises:
        DiskError, UsageError: ``directory`` exists, or the disk is full or not writable; nothing half remains.
    """
    contents = {MODEL: (weights or agent.state_dict(), metadata_of(agent.recipe, catalogue, step))}
    if training_state is not None:
        contents[TRAINING_STATE] = (training_state.tensors, dict(training_state.metadata))
    with explained(directory), new_directory(directory) as temporary:
        write_manifest(temporary, step, {name: write_tensors(temporary / name, *it) for name, it in contents.items()})


def metadata_of(recipe: Recipe, catalogue: Catalogue | None, step: int) -> dict[str, str]:
    """The header of a model file as safetensors stores it: strings, JSON where there is structure."""
    plugins = [use.model_dump() for use in plugins_of(recipe, catalogue)]
    return {
        "format": str(FORMAT),
        "step": str(step),
        "recipe": recipe.model_dump_json(),
        "contract": recipe.contract.model_dump_json(),
        "plugins": json.dumps(plugins),
        "versions": json.dumps(library_versions()),
    }


def plugins_of(recipe: Recipe, catalogue: Catalogue | None) -> list[PluginUse]:
    """The packages behind the parts of a recipe."""
    if catalogue is None:
        from trunkzoo.registry.zoo import load_catalogue

        catalogue = load_catalogue()
    parts: list[tuple[Kind, Part | None]] = [("trunk", recipe.trunk), ("head", recipe.head), ("task", recipe.task)]
    return [use_of(kind, part.name, catalogue) for kind, part in parts if part is not None]


def use_of(kind: Kind, name: str, catalogue: Catalogue) -> PluginUse:
    """The package that ships a part; raises UsageError when there is none."""
    found = getattr(catalogue, kind)(name)
    row = found.plugin_row
    return PluginUse(kind=kind, id=found.id, distribution=row.distribution, version=row.version, api=row.api)
