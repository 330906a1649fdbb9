"""Match a dataset's cameras and dimensions with an agent's contract."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

from trunkzoo.data.lerobot.layout import Info
from trunkzoo.errors import ContractError, UsageError, did_you_mean
from trunkzoo.plugin.contract import ACTION_KEY, IMAGE_KEY, STATE_KEY, Contract

OPEN = "NAME"  # stands for a camera that only a person can name
_ALIKE = 0.6  # of difflib's ratio: `wrist` and `left_wrist` are alike, `agentview` and `cam_left_wrist` are not


def parse_camera_map(assignments: Sequence[str], label: str = "camera") -> dict[str, str]:
    """``{"a": "b"}`` for ``["a=b"]``: camera of the contract → camera of the data.

    Messages call an entry ``label``.

    Raises:
        UsageError: an entry is not of that form, or names a camera twice.
    """
    found: dict[str, str] = {}
    for assignment in assignments:
        ours, equals, theirs = assignment.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(f"{label} {assignment}: write OURS=THEIRS, the recipe's camera and the data's")
        if ours in found:
            raise UsageError(f"{label} {assignment}: '{ours}' is mapped already, to '{found[ours]}'")
        found[ours] = theirs
    return found


def match_cameras(info: Info, contract: Contract, camera_map: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Feature key of the dataset for each camera of the contract.

    ``camera_map``: camera of the contract → camera of the dataset (its short name or its whole key).

    Raises:
        UsageError: the map names a camera that one side does not have.
        ContractError: cameras or dimensions differ; the message shows both and proposes a map.
    """
    _check_map(info, contract, camera_map)
    found = {camera: feature_key(info, camera_map.get(camera, camera)) for camera in contract.cameras}
    missing = [camera for camera, key in found.items() if key is None]
    lines = [*_camera_lines(info, contract, missing), *_width_lines(info, contract)]
    if lines:
        used = {key for key in found.values() if key}
        free = [short_name(key) for key in info.cameras if key not in used]
        pairs = {**camera_map, **_proposal(missing, free)} if 0 < len(missing) <= len(free) else {}
        proposed = [f"{ours}={theirs}" for ours, theirs in pairs.items()]
        if missing:
            lines.append(_advice(missing, free, proposed))
        settings = {"cameras": proposed} if proposed else {}
        raise ContractError(f"{directory} does not fit the contract: {'; '.join(lines)}", settings)
    return {camera: key for camera, key in found.items() if key is not None}


def short_name(key: str) -> str:
    """``wrist`` for ``observation.images.wrist``; other keys as they are."""
    return key.removeprefix(IMAGE_KEY)


def feature_key(info: Info, camera: str) -> str | None:
    """The dataset's feature of a camera that is named short or whole; None if there is none."""
    return next((key for key in (IMAGE_KEY + camera, camera) if key in info.cameras), None)


def _check_map(info: Info, contract: Contract, camera_map: Mapping[str, str]) -> None:
    offered = [short_name(key) for key in info.cameras]
    for ours, theirs in camera_map.items():
        if ours not in contract.cameras:
            hint = did_you_mean(ours, contract.cameras)
            raise UsageError(
                f"camera '{ours}={theirs}': the contract's cameras are {_names(contract.cameras)}.{hint}", ["cameras"]
            )
        if feature_key(info, theirs) is None:
            hint = did_you_mean(theirs, offered)
            raise UsageError(f"camera '{ours}={theirs}': the data's cameras are {_names(offered)}.{hint}", ["cameras"])


def _camera_lines(info: Info, contract: Contract, missing: list[str]) -> list[str]:
    if not missing:
        return []
    return [f"cameras {_names(contract.cameras)} (contract) ≠ {_names([short_name(k) for k in info.cameras])} (data)"]


def _width_lines(info: Info, contract: Contract) -> list[str]:
    lines = []
    for key, name, ours in (
        (STATE_KEY, "state_dim", contract.state_dim),
        (ACTION_KEY, "action_dim", contract.action_dim),
    ):
        theirs = prod(info.features[key].shape) if key in info.features else None
        if theirs != ours:
            shown = f"no feature {key}" if theirs is None else theirs
            lines.append(f"{name} {ours} (contract) ≠ {shown} (data)")
    return lines


def _proposal(missing: Sequence[str], free: Sequence[str]) -> dict[str, str]:
    """For each missing camera the one that its name leaves no doubt about, or NAME."""
    likely = _alike(missing, free)
    return {camera: likely.get(camera, OPEN) for camera in missing}


def _advice(missing: Sequence[str], free: Sequence[str], proposed: Sequence[str]) -> str:
    if not proposed:
        return f"the data has {len(missing) - len(free)} camera(s) too few"
    said = f"say which camera of the data is which: {', '.join(proposed)}"
    left = [name for name in free if not any(pair.endswith(f"={name}") for pair in proposed)]
    unsure = any(pair.endswith(f"={OPEN}") for pair in proposed)
    return said + (f", where {OPEN} is one of {_names(left)}; `zoo data info` shows their pictures" if unsure else "")


def _alike(missing: Sequence[str], free: Sequence[str]) -> dict[str, str]:
    """Pairs of names that are each other's only near one, or the last ones; a guess would be pasted, and train on
    swapped cameras.
    """
    near = {camera: difflib.get_close_matches(camera, free, n=2, cutoff=_ALIKE) for camera in missing}
    back = {name: difflib.get_close_matches(name, missing, n=2, cutoff=_ALIKE) for name in free}
    found = {camera: names[0] for camera, names in near.items() if len(names) == 1 and back[names[0]] == [camera]}
    open_, left = [c for c in missing if c not in found], [name for name in free if name not in found.values()]
    return found | dict(zip(open_, left, strict=True)) if len(open_) == len(left) == 1 else found


def _names(cameras: tuple[str, ...] | list[str]) -> str:
    return ", ".join(cameras) or "none"
