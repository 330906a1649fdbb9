"""Datasets of other shapes, written by lerobot itself, train in both directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset

import trunkzoo
from lerobot_process import train_on

ALOHA = {"observation.images.top": (48, 64), "observation.images.left_wrist": (32, 32)}
PUSHT = {"observation.image": (40, 40)}


def write(folder: Path, cameras: dict[str, tuple[int, int]], fps: int, width: int) -> Path:
    """Two episodes of ten frames of noise."""
    vector = {"dtype": "float32", "shape": (width,), "names": None}
    image = {
        key: {"dtype": "image", "shape": (*size, 3), "names": ["height", "width", "channels"]}
        for key, size in cameras.items()
    }
    features = {"observation.state": vector, "action": vector, **image}
    data = LeRobotDataset.create(repo_id="local/data", fps=fps, features=features, root=folder, use_videos=False)
    random = np.random.default_rng(0)
    for _ in range(2):
        for _ in range(10):
            pixels = {key: random.integers(0, 256, (*size, 3), dtype=np.uint8) for key, size in cameras.items()}
            numbers = {key: random.random(width, dtype=np.float32) for key in ("observation.state", "action")}
            data.add_frame({**pixels, **numbers, "task": "noise"})
        data.save_episode()
    data.finalize()
    return folder


@pytest.mark.parametrize(("cameras", "fps", "width"), [(ALOHA, 50, 14), (PUSHT, 10, 2)], ids=["aloha", "pusht"])
def test_it_trains_under_lerobot(tmp_path: Path, cameras: dict[str, tuple[int, int]], fps: int, width: int) -> None:
    data = write(tmp_path / "data", cameras, fps, width)
    train_on(data, tmp_path / "run", "--policy.recipe=tour-resnet")
    contract = trunkzoo.load_agent(tmp_path / "run").contract
    names = [key.removeprefix("observation.images.").removeprefix("observation.") for key in cameras]
    assert (list(contract.cameras), contract.image_size) == (names, (32, 32))
    assert (contract.state_dim, contract.action_dim, contract.cond_dim) == (width, width, 32 * len(names) + width)


@pytest.mark.parametrize(("cameras", "fps", "width"), [(ALOHA, 50, 14), (PUSHT, 10, 2)], ids=["aloha", "pusht"])
def test_it_trains_under_trunkzoo(tmp_path: Path, cameras: dict[str, tuple[int, int]], fps: int, width: int) -> None:
    data = write(tmp_path / "data", cameras, fps, width)
    keys = list(cameras)
    named = {f"camera{i}": key for i, key in enumerate(keys)}
    settings = {"contract.cameras": list(named), "contract.state_dim": width, "contract.action_dim": width}
    widths = {**settings, "contract.cond_dim": 32 * len(keys) + width, "train.steps": 2, "train.batch_size": 4}
    recipe = trunkzoo.load_recipe("tour-resnet", widths).model_copy(update={"task": None})
    run = trunkzoo.RunConfig(recipe=recipe, data=data, output=tmp_path / "run", cameras=named, device="cpu")
    assert trunkzoo.train(run).step == 2
