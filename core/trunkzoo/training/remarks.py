"""What a dataset is beside what its recipe is for: nothing here is wrong in itself, and all of it should be known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trunkzoo.data.lerobot.layout import INFO_PATH, read_info
from trunkzoo.data.match import feature_key, short_name
from trunkzoo.data.summary import read_origin
from trunkzoo.plugin.contract import Contract
from trunkzoo.registry.resolved import ResolvedRecipe


def source_of(data: Path, contract: Contract, camera_map: Mapping[str, str]) -> dict[str, Any]:
    """Rate, task and, per camera of the contract, the camera and image size of the data: for ``run.json``.

    Empty where ``data`` is no dataset on disk.
    """
    if not (data / INFO_PATH).is_file():
        return {}
    info = read_info(data)
    keys = {camera: feature_key(info, camera_map.get(camera, camera)) for camera in contract.cameras}
    cameras = {
        camera: {"name": short_name(key), "size": list(info.features[key].image_size)}
        for camera, key in keys.items()
        if key is not None
    }
    return {"fps": info.fps, "task": (read_origin(data) or {}).get("task"), "cameras": cameras}


def remarks(data: Path, recipe: ResolvedRecipe, camera_map: Mapping[str, str]) -> list[str]:
    """One line for each way in which the data are not what the recipe's task would have recorded."""
    source = source_of(data, recipe.recipe.contract, camera_map)
    if not source:
        return []
    said = _of_task(source, recipe)
    height, width = recipe.recipe.contract.image_size
    for camera, found in source["cameras"].items():
        if found["size"] != [height, width]:
            theirs = " × ".join(map(str, found["size"]))
            said.append(
                f"images of {found['name']}, {theirs}, become {camera}, {height} × {width}: each side is resized on its "
                "own; resize what the agent sees in the same way (trunkzoo.data.cache.resize)"
            )
    return said


def _of_task(source: Mapping[str, Any], recipe: ResolvedRecipe) -> list[str]:
    task = recipe.task
    if task is None:
        return []
    said = []
    if source["task"] not in (None, task.id):
        said.append(f"these are demonstrations of {source['task']}, the recipe's task is {task.id}")
    if source["fps"] != task.spec.fps:
        said.append(
            f"the data have {source['fps']:g} frames per second, {task.id} takes {task.spec.fps} actions per second: "
            f"an action recorded for 1/{source['fps']:g} s will act for 1/{task.spec.fps} s"
        )
    return said
