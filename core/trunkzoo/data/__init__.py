"""Datasets of demonstrations: LeRobot v3 in and out, conversion, and the windows that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkzoo.data.windows import WindowDataset
    from trunkzoo.plugin.contract import Contract


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
