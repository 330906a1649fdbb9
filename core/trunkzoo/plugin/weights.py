"""A setting for pretrained weights: a path, or ``hf:ORG/NAME[@REVISION]``, pinned to a commit as it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from trunkzoo.errors import HubError, UsageError
from trunkzoo.hub.names import is_hub_name, parse_hub_name
from trunkzoo.hub.weights import WEIGHTS, pin, weights_folder


def _pinned(path: Path) -> Path:
    if not is_hub_name(path):
        return path
    try:
        return Path(str(pin(parse_hub_name(path))))
    except (HubError, UsageError) as error:
        raise ValueError(str(error)) from None


WeightsPath = Annotated[Path, AfterValidator(_pinned)]
"""A file or directory of weights, or a name on the hub; a checkpoint then records its commit, and never asks for it again."""


def weights_directory(path: Path) -> Path:
    """``path`` itself, or for a name on the hub the folder of its weights, fetched if they are not in the cache.

    Raises:
        HubError: they are not there, damaged, or out of reach; the message has the command that fetches them.
    """
    return weights_folder(path) if is_hub_name(path) else path


def weights_file(path: Path) -> Path:
    """``path`` itself, or for a name on the hub its ``model.safetensors``; see :func:`weights_directory`."""
    return weights_folder(path) / WEIGHTS if is_hub_name(path) else path
