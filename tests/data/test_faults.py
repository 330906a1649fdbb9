"""What is damaged, missing or made in another way is an error that names the file; nothing half is ever kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from small_data import CONTRACT, leftovers
from trunkzoo.data import open_dataset
from trunkzoo.data.check import check_dataset
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import DataError, UsageError


def test_an_existing_directory_is_not_overwritten(data: Path) -> None:
    with pytest.raises(UsageError, match="already exists"):
        write_synthetic(data, CONTRACT, (5,))
    assert len(open_dataset(data, CONTRACT)) == 75


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_parquet_file_is_named(data: Path, kept: float) -> None:
    path = data / "data/chunk-000/file-000.parquet"
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(DataError, match=r"file-000\.parquet is cut off or damaged"):
        open_dataset(data, CONTRACT)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.97])
def test_a_cut_video_is_named_and_never_cached(videos: Path, tmp_path: Path, kept: float) -> None:
    path = videos / "videos/observation.images.wrist/chunk-000/file-000.mp4"
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(DataError, match=r"observation\.images\.wrist.*mp4"):
        open_dataset(videos, CONTRACT)
    assert not list((tmp_path / "cache/frames").glob("*/frames.npy"))
    assert not leftovers(tmp_path)


def test_a_video_of_too_few_frames_is_refused(videos: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "short", CONTRACT, (20, 30, 24), video=True)
    name = "videos/observation.images.front/chunk-000/file-000.mp4"
    (videos / name).write_bytes((tmp_path / "short" / name).read_bytes())
    with pytest.raises(DataError, match=r"75 frames wanted, 74 found"):
        open_dataset(videos, CONTRACT)


def test_damaged_pixels_are_named(data: Path) -> None:
    path = data / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    rows = table["observation.images.front"].to_pylist()
    rows[21]["bytes"] = rows[21]["bytes"][:60]
    at = table.schema.get_field_index("observation.images.front")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(rows, table.schema.field(at).type)), path)
    with pytest.raises(DataError, match=r"image observation\.images\.front of row 21 cannot be read"):
        open_dataset(data, CONTRACT)


@pytest.mark.parametrize("name", ["data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"])
def test_a_missing_file_is_named(data: Path, name: str) -> None:
    (data / name).unlink()
    with pytest.raises(DataError, match=r"missing|no meta/episodes"):
        open_dataset(data, CONTRACT)


def test_nan_in_the_actions_is_placed(data: Path) -> None:
    path = data / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    rows = table["action"].to_pylist()
    rows[24][1] = float("nan")
    at = table.schema.get_field_index("action")
    pq.write_table(table.set_column(at, "action", pa.array(rows, table.schema.field(at).type)), path)
    with pytest.raises(DataError, match="action is nan in episode 1, frame 4, dimension 1"):
        open_dataset(data, CONTRACT)


@pytest.mark.parametrize("length", [1, 3])
def test_one_episode_shorter_than_the_horizon_is_enough(tmp_path: Path, length: int) -> None:
    write_synthetic(tmp_path / "data", CONTRACT, (length,))
    batch = open_dataset(tmp_path / "data", CONTRACT).gather(torch.arange(length))
    assert batch["action_is_pad"].sum(dim=1).tolist() == [16 - length + row for row in range(length)]
    assert torch.equal(batch["action"][:, -1], batch["action"][-1:, 0].expand(length, -1))


def test_an_older_format_is_refused_with_the_conversion(data: Path) -> None:
    path = data / "meta/info.json"
    path.write_text(path.read_text().replace('"v3.0"', '"v2.1"'))
    with pytest.raises(DataError, match=r"(?s)v2\.1 dataset.*convert_dataset_v21_to_v30"):
        open_dataset(data, CONTRACT)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"codebase_version": "v3.0", "fps": "x"}'])
def test_a_damaged_info_file_is_named(data: Path, text: str) -> None:
    (data / "meta/info.json").write_text(text)
    with pytest.raises(DataError, match=r"info\.json is damaged"):
        open_dataset(data, CONTRACT)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("fps", 0, "fps is 0"),
        ("fps", -5, "fps is -5"),
        ("data_path", "data/episode_{episode_index:06d}.parquet", "episode_index"),
        ("video_path", "videos/{episode_chunk}.mp4", "episode_chunk"),
    ],
)
def test_impossible_facts_in_the_info_file_are_named(data: Path, key: str, value: Any, told: str) -> None:
    path = data / "meta/info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DataError, match=rf"info\.json is damaged .*{told}"):
        open_dataset(data, CONTRACT)
    assert [check.name for check in check_dataset(data) if check.faults] == ["metadata"]


def test_images_stored_in_another_way_are_named(data: Path) -> None:
    path = data / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("observation.images.front")
    bare = pa.array([row["bytes"] for row in table["observation.images.front"].to_pylist()])
    pq.write_table(table.set_column(at, "observation.images.front", bare), path)
    with pytest.raises(DataError, match=r"image observation\.images\.front of row 0 cannot be read"):
        open_dataset(data, CONTRACT)


@pytest.mark.parametrize("column", ["dataset_to_index", "videos/observation.images.front/from_timestamp"])
def test_metadata_without_a_column_is_named(videos: Path, column: str) -> None:
    path = videos / "meta/episodes/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    with pytest.raises(DataError, match=f"lacks .*{column}"):
        open_dataset(videos, CONTRACT)


def test_episodes_that_do_not_add_up_are_refused(data: Path) -> None:
    info = json.loads((data / "meta/info.json").read_text())
    path = data / "meta/episodes/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(DataError, match="episode 1 claims rows 20 to 50, but the one before ends at 0"):
        open_dataset(data, CONTRACT)
    assert info["total_episodes"] == 3
