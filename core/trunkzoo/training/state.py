"""The training state in a checkpoint: what continues bit-equal beyond the acting weights.

Tensors are named ``live/<parameter>`` (only with an average; else the model file holds them) and
``optimizer/<slot>/<parameter>``; numbers are JSON in the header. Batches, noise and rates are functions of the step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trunkzoo.checkpoint.header import read_safetensors_header
from trunkzoo.checkpoint.layout import TRAINING_STATE
from trunkzoo.checkpoint.manifest import verify
from trunkzoo.checkpoint.save import TrainingState
from trunkzoo.checkpoint.tensors import read_tensors
from trunkzoo.errors import CheckpointError, one_line
from trunkzoo.plain import parse_table
from trunkzoo.training.optimizer import trainable
from trunkzoo.training.step import Learner


@dataclass
class Progress:
    """Numbers of a run that are no tensors."""

    step: int = 0
    skipped: int = 0
    """Steps skipped for a non-finite loss."""
    best_step: int | None = None
    best_score: float | None = None
    """Held-out action error, or mean training loss where nothing is held out; lower is better."""
    since_log: dict[str, Any] = field(default_factory=dict)
    """State of the meter behind the next row of metrics."""
    since_checkpoint: dict[str, Any] = field(default_factory=dict)
    """State of the meter that decides which checkpoint is best."""


def capture(learner: Learner, progress: Progress) -> TrainingState:
    """Everything to store; the tensors are views of the live ones."""
    parameters = trainable(learner.agent)
    tensors: dict[str, Tensor] = {}
    if learner.ema:
        # the model file holds the averages, which act
        tensors |= {f"live/{name}": parameter for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        for slot, value in learner.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{slot}/{name}"] = value
    numbers = {**asdict(progress), "ema_updates": learner.ema.updates if learner.ema else 0}
    return TrainingState(tensors, {"format": "1", "progress": json.dumps(numbers)})


@torch.no_grad()
def restore(learner: Learner, checkpoint: Path) -> Progress:
    """Give ``learner``, whose agent holds the acting weights of ``checkpoint``, the rest of its state.

    Raises:
        CheckpointError: the training state is absent, damaged or of another network.
    """
    file = checkpoint / TRAINING_STATE
    if not file.is_file():
        raise CheckpointError(f"{checkpoint} has no {TRAINING_STATE}: it can act, but training cannot continue from it")
    header = read_safetensors_header(file)
    verify(file, header)
    try:
        numbers = parse_table(header.metadata["progress"])
        updates, progress = int(numbers.pop("ema_updates")), Progress(**numbers)
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{file} does not say how far the training was ({one_line(error)}): damaged") from None
    _restore_tensors(learner, read_tensors(file), file)
    if learner.ema:
        learner.ema.updates = updates
    return progress


def _restore_tensors(learner: Learner, tensors: Mapping[str, Tensor], file: Path) -> None:
    parameters = trainable(learner.agent)
    for key, tensor in tensors.items():
        kind, _, rest = key.partition("/")
        slot, name = ("", rest) if kind == "live" else rest.split("/", 1)
        parameter = parameters.get(name)
        if parameter is None or (tensor.ndim and tensor.shape != parameter.shape):
            raise CheckpointError(f"{file} belongs to another network: '{key}' has no place in this one")
        if kind == "live":
            parameter.copy_(tensor)
        else:
            learner.optimizer.state[parameter][slot] = _in_layout_of(tensor, parameter)


def _in_layout_of(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A copy (the original is a mapped file) in its parameter's memory layout, so that kernels add in the old order."""
    like = torch.empty_like(parameter) if tensor.ndim else torch.empty((), dtype=tensor.dtype, device=parameter.device)
    return like.copy_(tensor)
