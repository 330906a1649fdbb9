"""Reading torchvision weight files into a ResNet trunk, strictly."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from trunkzoo.plugin import CheckpointError, UsageError, weights_file

CLASSIFIER = ("fc.weight", "fc.bias")


def load_weights(trunk: nn.Module, path: Path) -> None:
    """Load ``path`` into ``trunk``; the classifier is dropped, everything else must fit.

    Raises:
        UsageError: no such file, or neither .safetensors nor .pth.
        CheckpointError: unreadable; keys missing, extra or of another shape; batch-norm weights for a group-norm trunk.
    """
    state = {key: value for key, value in read_weights(path).items() if key not in CLASSIFIER}
    own = trunk.state_dict()
    if any(key.endswith("running_mean") for key in state) and not any(key.endswith("running_mean") for key in own):
        raise CheckpointError(
            f"{path} holds batch-norm weights, but the trunk has norm = 'group': the two compute different functions, "
            "and converted weights would not be pretrained any more. Use norm = 'batch', or train group norm from scratch"
        )
    # Files from before batch norm counted its batches have no counters; nothing depends on them.
    missing = sorted(key for key in own.keys() - state.keys() if not key.endswith("num_batches_tracked"))
    problems = [f"missing {key}" for key in missing]
    problems += [f"unknown {key}" for key in sorted(state.keys() - own.keys())]
    problems += [
        f"{key} is {tuple(value.shape)} in the file, {tuple(own[key].shape)} in the trunk"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ]
    if problems:
        shown = "; ".join(problems[:3]) + ("; …" if len(problems) > 3 else "")
        raise CheckpointError(f"{path} does not fit this trunk ({len(problems)} differences): {shown}")
    trunk.load_state_dict(state)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file, or of a name on the hub; no pickled code runs."""
    path = weights_file(path)
    if not path.is_file():
        raise UsageError(f"weights = {str(path)!r}: no such file")
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise UsageError(f"weights = {str(path)!r}: expected a .safetensors or .pth file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, TypeError) as error:
        raise CheckpointError(f"{path} is no readable weight file: {error}") from error
