"""Datasets of demonstrations: LeRobot v3 in and out, conversion, and the windows that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trunkzoo.hub.download import fetch
from trunkzoo.hub.names import is_hub_name, parse_hub_name

if TYPE_CHECKING:
    from trunkzoo.data.windows import WindowDataset
    from trunkzoo.plugin.contract import Contract

DATASET_FILES = ("meta/*", "data/*", "videos/*", "images/*")
"""What is read of a dataset on the hub; patterns match across folders."""


def open_dataset(
    directory: str | Path, contract: Contract, camera_map: Mapping[str, str] | None = None
) -> WindowDataset:
    """Open a LeRobot v3 dataset as training windows of ``contract``; the first use decodes its images into a cache.

    ``camera_map`` names the dataset's camera for a camera of the contract, where the names differ.

    Raises:
        UsageError: there is no dataset, or ``camera_map`` names a camera that one side does not have.
        DataError: the dataset is damaged, of another version of the format, or holds a value that is not finite.
        ContractError: its cameras or dimensions do not fit; the message shows both sides.
    """
    from trunkzoo.data.windows import WindowDataset

    return WindowDataset(Path(directory), contract, camera_map or {})


def dataset_directory(path: str | Path) -> Path:
    """Where a dataset lies: ``path`` itself, or for ``hf:ORG/NAME[@REVISION]`` the cache into which it is fetched.

    Raises:
        UsageError, HubError: such a name is no name, not there, damaged, or out of reach.
    """
    if not is_hub_name(path):
        return Path(path)
    return fetch(parse_hub_name(path), DATASET_FILES, ("meta/info.json",), "dataset").folder
