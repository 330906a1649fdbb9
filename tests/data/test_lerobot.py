"""Datasets that lerobot itself wrote are read as lerobot reads them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from trunkzoo.data import open_dataset
from trunkzoo.data.check import check_dataset
from trunkzoo.data.lerobot.layout import read_info
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.lerobot.writer import LeRobotWriter
from trunkzoo.data.windows import WindowDataset
from trunkzoo.plugin import Contract

FIXTURES = Path(__file__).parents[1] / "fixtures" / "lerobot"
LENGTHS = (7, 4, 9, 5)
CONTRACT = Contract(
    cameras=("top",), image_size=(16, 24), state_dim=2, action_dim=1, camera_dim=5, cond_dim=7, pred_horizon=4,
    num_action_steps=2,
)  # fmt: skip
PLACES = torch.tensor([(e, i) for e, length in enumerate(LENGTHS) for i in range(length)])  # (25, 2)


@pytest.fixture(params=["image", "video"])
def dataset(request: pytest.FixtureRequest) -> WindowDataset:
    return open_dataset(FIXTURES / request.param, CONTRACT)


def test_numbers_are_those_that_were_recorded(dataset: WindowDataset) -> None:
    batch = dataset.gather(torch.arange(25))
    assert torch.equal(batch["observation.state"][:, 1], PLACES.float())
    assert torch.equal(batch["action"][:, 0, 0], (10 * PLACES[:, 0] + PLACES[:, 1]).float())
    assert [ep.tasks for ep in dataset.episodes] == [("open",), ("close",), ("open",), ("close",)]


def test_images_are_those_of_their_rows(dataset: WindowDataset) -> None:
    image = dataset.gather(torch.arange(25))["observation.images.top"][:, 1].float()  # (25, 3, 16, 24)
    tolerance = 0 if (dataset.directory / "videos").exists() is False else 9  # H.264 at lerobot's quality
    assert (image[:, 0].mean((1, 2)) - (50 * PLACES[:, 0] + 20)).abs().max() <= tolerance
    assert (image[:, 1].mean((1, 2)) - (20 * PLACES[:, 1] + 20)).abs().max() <= tolerance
    assert (image[:, 2].mean((0, 1)) - 8 * torch.arange(24)).abs().max() <= 2 * tolerance


def test_the_first_frame_repeats_before_the_episode(dataset: WindowDataset) -> None:
    first = torch.tensor([0, 7, 11, 20])
    batch = dataset.gather(first)
    assert torch.equal(batch["observation.images.top"][:, 0], batch["observation.images.top"][:, 1])
    assert torch.equal(batch["observation.state"][:, 0], batch["observation.state"][:, 1])


@pytest.mark.parametrize("kind", ["image", "video"])
def test_lerobot_s_datasets_pass_every_check(kind: str) -> None:
    assert [(check.name, fault) for check in check_dataset(FIXTURES / kind) for fault in check.faults] == []


@pytest.mark.parametrize("kind", ["image", "video"])
def test_what_is_written_has_lerobot_s_columns_and_keys(kind: str, tmp_path: Path) -> None:
    features = {key: f for key, f in read_info(FIXTURES / kind).features.items() if key.startswith(("obs", "act"))}
    with LeRobotWriter(tmp_path / "ours", features, fps=10) as writer:
        writer.add_episode(
            {
                "observation.images.top": np.zeros((3, 16, 24, 3), np.uint8),
                "observation.state": np.zeros((3, 2), np.float32),
                "action": np.zeros((3, 1), np.float32),
            },
            "open",
        )
    ours, theirs = ([_shape_of(root)] for root in (tmp_path / "ours", FIXTURES / kind))
    assert ours == theirs


def _shape_of(root: Path) -> dict[str, object]:
    """Names and types of everything that lerobot looks at."""
    info, stats = (json.loads((root / "meta" / name).read_text()) for name in ("info.json", "stats.json"))
    frames, episodes, tasks = (
        pq.read_schema(root / name / "chunk-000/file-000.parquet") if "/" in name or name == "data" else
        pq.read_schema(root / "meta" / f"{name}.parquet")
        for name in ("data", "meta/episodes", "tasks")
    )  # fmt: skip
    return {
        "info": set(info),
        "features": {key: {k: v for k, v in value.items() if k != "info"} for key, value in info["features"].items()},
        "coding": {key: sorted(value.get("info") or {}) for key, value in info["features"].items()},
        "stats": {key: {name: np.shape(value) for name, value in row.items()} for key, row in stats.items()},
        "frames": {name: str(frames.field(name).type) for name in frames.names},
        "episodes": {name: str(episodes.field(name).type) for name in episodes.names},
        "tasks": set(tasks.names) - {"task", "__index_level_0__"},
        "paths": (info["data_path"], info["video_path"]),
    }


def test_every_file_of_a_camera_is_found() -> None:
    assert len(LeRobotReader(FIXTURES / "video").video_files("observation.images.top")) == 4
