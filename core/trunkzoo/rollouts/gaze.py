"""Where an agent looks: keypoints per camera over an episode, and depth attention where its trunk has any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.system.files import new_file


@dataclass(frozen=True)
class Gaze:
    """Images, keypoints and depth-attention weights of an agent at some steps of one episode."""

    cameras: tuple[str, ...]
    steps: tuple[int, ...]
    images: NDArray[np.uint8]
    """(cameras, T, H, W, 3), cropped as the agent sees them."""
    keypoints: NDArray[np.float32]
    """(cameras, T, K, 2): (x, y) in [-1, 1]."""
    sources: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """Read of a trunk (``stages.2.mix.3``) → mean weight of each source (sources,), over cameras, frames and pixels."""
    maps: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """Last read of each stage → weights per pixel of the first camera, (sources, T, h, w)."""

    def save(self, path: Path) -> None:
        """Write everything as a compressed npz."""
        arrays = {f"sources/{name}": value for name, value in self.sources.items()}
        arrays |= {f"maps/{name}": value.astype(np.float16) for name, value in self.maps.items()}
        with new_file(path) as hidden, hidden.open("wb") as file:
            np.savez_compressed(
                file,
                cameras=np.array(self.cameras),
                steps=np.array(self.steps),
                images=self.images,
                keypoints=self.keypoints,
                **arrays,
            )


def load_gaze(path: Path) -> Gaze:
    """Read what :meth:`Gaze.save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Gaze(
        tuple(str(camera) for camera in arrays["cameras"]),
        tuple(int(step) for step in arrays["steps"]),
        arrays["images"],
        arrays["keypoints"],
        _below(arrays, "sources/"),
        _below(arrays, "maps/"),
    )


def _below(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[np.float32]]:
    return {n.removeprefix(prefix): v.astype(np.float32) for n, v in arrays.items() if n.startswith(prefix)}
