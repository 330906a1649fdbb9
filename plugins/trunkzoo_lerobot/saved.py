"""A policy as lerobot saves it, read without lerobot and without torch: its features, weights' hash and step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkzoo.plugin import ACTION_KEY, IMAGE_KEY, STATE_KEY, CheckpointError, TaskContract, parse_table

WEIGHTS, SETTINGS = "model.safetensors", "config.json"
INSIDE = ("", "pretrained_model", "checkpoints/last/pretrained_model")  # below a path that people name
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Saved:
    """The folder ``pretrained_model`` of a policy, and what its config.json says."""

    folder: Path
    type: str
    """Of policy, such as ``act``."""
    inputs: Shapes
    """Shape of every observation that it reads; images are (3, H, W)."""
    outputs: Shapes

    @property
    def keys(self) -> tuple[str, ...]:
        """The observations that it reads."""
        return tuple(self.inputs)


def read(path: str) -> Saved:
    """Find and read the folder of a policy.

    Raises:
        CheckpointError: there is none, or it is not what lerobot 0.6 saves.
    """
    root = Path(path)
    folder = next((root / part for part in INSIDE if (root / part / SETTINGS).is_file()), None)
    if folder is None:
        raise CheckpointError(
            f"no policy of lerobot at {path}: there is no {SETTINGS} in it, in {' or '.join(INSIDE[1:])}"
        )
    absent = [name for name in (WEIGHTS, "policy_preprocessor.json") if not (folder / name).is_file()]
    if absent:
        raise CheckpointError(
            f"{folder} lacks {' and '.join(absent)}; lerobot 0.6 saves both, older folders must be migrated"
        )
    try:
        said = parse_table((folder / SETTINGS).read_bytes())
        return Saved(folder, str(said["type"]), _shapes(said["input_features"]), _shapes(said["output_features"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder / SETTINGS} is no configuration of a policy of lerobot: {error!r}") from None


def _shapes(features: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(int(size) for size in feature["shape"]) for key, feature in features.items()}


def misfits(saved: Saved, contract: TaskContract) -> list[str]:
    """One sentence for each feature that does not fit the task; a camera that the policy does not read is none."""
    return [line for key, shape in saved.inputs.items() if (line := _misfit(key, shape, contract))] + list(
        _of_the_action(saved.outputs, contract)
    )


def _misfit(key: str, shape: tuple[int, ...], contract: TaskContract) -> str:
    if key.startswith(IMAGE_KEY):
        return _of_a_camera(key.removeprefix(IMAGE_KEY), shape, contract)
    if key != STATE_KEY:
        return f"{key}: the policy reads it, and the task has no such observation"
    if shape == (contract.state_dim,):
        return ""
    return f"state: the policy reads {shape[0] if shape else 0} numbers, the task has {contract.state_dim}"


def _of_a_camera(camera: str, shape: tuple[int, ...], contract: TaskContract) -> str:
    if camera not in contract.cameras:
        return f"camera {camera}: the task has {', '.join(contract.cameras)}"
    height, width = contract.image_size
    if shape != (3, height, width):
        seen = " × ".join(map(str, shape[1:]))
        return f"camera {camera}: the policy reads {seen} pixels, the task shows {height} × {width}"
    return ""


def _of_the_action(outputs: Shapes, contract: TaskContract) -> Iterator[str]:
    shape = outputs.get(ACTION_KEY)
    if shape != (contract.action_dim,):
        given = f"{shape[0]} numbers" if shape else "none"
        yield f"action: the policy gives {given}, the task takes {contract.action_dim}"


def weights_sha256(saved: Saved) -> str:
    """Of the weights."""
    return _sha256(saved.folder / WEIGHTS)


def processors_sha256(saved: Saved) -> str:
    """Of all else that decides an action: settings, and the processors with their statistics."""
    files = sorted([saved.folder / SETTINGS, *saved.folder.glob("policy_p*processor*")])
    told = "".join(f"{path.name} {_sha256(path)}\n" for path in files)
    return hashlib.sha256(told.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def step(saved: Saved) -> int | None:
    """Optimiser steps of its training, where lerobot's own state still lies beside the folder."""
    file = saved.folder.resolve().parent / "training_state" / "training_step.json"
    try:
        return int(parse_table(file.read_bytes())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
