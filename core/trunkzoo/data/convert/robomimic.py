"""robomimic's HDF5 datasets: ``data/demo_N/{actions, obs/…}`` with the environment in ``data.attrs["env_args"]``.

Source: robomimic 0.5, docs/datasets/overview.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkzoo.data.convert.sources import Arrays, is_video
from trunkzoo.errors import DataError
from trunkzoo.plain import parse_table
from trunkzoo.plugin.contract import ACTION_KEY

PROPRIOCEPTION = ("eef_pos", "eef_quat", "gripper_qpos")


class Robomimic:
    """One HDF5 file; the demonstrations in the order of their numbers."""

    def __init__(self, file: Any, path: Path) -> None:
        """``file``: an open ``h5py.File``."""
        demos = file.get("data", {})
        self._demos = [demos[name] for name in sorted(demos, key=_number) if hasattr(demos[name], "keys")]
        if not self._demos or "obs" not in self._demos[0]:
            raise DataError(
                f"{path} holds no observations; robomimic's `dataset_states_to_obs` script renders them from the states"
            )
        environment = parse_table(file["data"].attrs.get("env_args", "{}"))
        self.task = str(environment.get("env_name", path.stem))
        stated = (environment.get("env_kwargs") or {}).get("control_freq")
        self.fps: float | None = None if stated is None else float(stated)
        arrays = self._demos[0]["obs"]  # robomimic writes the same arrays into every demonstration
        shapes = {name: getattr(arrays[name], "shape", ()) for name in arrays}  # a group within has none
        self.cameras = {name.removesuffix("_image"): name for name, shape in shapes.items() if is_video(shape)}
        robots = sorted({name.split("_")[0] for name in arrays if re.match(r"robot\d+_", name)})
        wanted = [f"{robot}_{part}" for robot in robots for part in PROPRIOCEPTION]
        self.state = tuple(name for name in wanted if name in arrays)

    def __len__(self) -> int:
        return len(self._demos)

    def episodes(self) -> Iterator[Arrays]:
        for demo in self._demos:
            yield {**demo["obs"], ACTION_KEY: demo["actions"]}


def _number(name: str) -> tuple[int, str]:
    digits = re.search(r"\d+$", name)
    return (int(digits[0]) if digits else -1, name)
