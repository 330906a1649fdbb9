"""Damage, kills and races: a dataset or a cache is whole or it is an error that names the file."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from trunkzoo.data import cache, open_dataset
from trunkzoo.data.check import check_dataset
from trunkzoo.data.lerobot.images import Part, Rows
from trunkzoo.data.lerobot.video import Frame
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import DataError, UsageError
from trunkzoo.plugin import Contract

FORK = multiprocessing.get_context("fork")
CONTRACT = Contract(
    cameras=("front", "wrist"),
    image_size=(24, 16),
    state_dim=3,
    action_dim=2,
    camera_dim=5,
    cond_dim=13,
    pred_horizon=16,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_synthetic(tmp_path / "data", CONTRACT, (20, 30, 25))
    return tmp_path / "data"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    write_synthetic(tmp_path / "videos", CONTRACT, (20, 30, 25), video=True)
    return tmp_path / "videos"


def in_child(work: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    child = FORK.Process(target=work)
    child.start()
    return child


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.partial-*"))


def test_a_kill_while_the_cache_is_built_leaves_nothing_half(data: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    whole = open_dataset(data, CONTRACT).gather(torch.arange(75))
    duration = time.monotonic() - began
    for trial in range(20):
        os.environ["TRUNKZOO_CACHE"] = str(tmp_path / f"cache-{trial}")
        child = in_child(lambda: open_dataset(data, CONTRACT))
        time.sleep(random.uniform(0, duration))
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        again = open_dataset(data, CONTRACT).gather(torch.arange(75))
        assert all(torch.equal(whole[key], again[key]) for key in whole)
        assert not leftovers(tmp_path / f"cache-{trial}")


def test_an_error_does_not_wait_for_the_rest_of_a_long_file() -> None:
    frames = np.zeros((1000, 2, 2, 3), np.uint8)

    def slow(rows: Rows) -> Iterator[tuple[int, Frame]]:
        for row in rows:
            time.sleep(0.01)
            yield row, frames[row]

    def broken(rows: Rows) -> Iterator[tuple[int, Frame]]:
        for row in rows:
            if row == 0:
                raise DataError("broken")
            yield row, frames[row]

    parts = [(Part(Path("p"), np.arange(1000), read), frames) for read in (slow, broken)]
    began = time.monotonic()
    with pytest.raises(DataError, match="broken"):
        cache._decode(parts, (2, 2))
    assert time.monotonic() - began < 5


def test_two_processes_that_start_at_once_build_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocate, log = cache._allocate, tmp_path / "builds"

    def slow(*arguments: Any) -> Any:
        with log.open("a") as file:
            file.write("built\n")
        time.sleep(0.2)
        return allocate(*arguments)

    monkeypatch.setattr(cache, "_allocate", slow)
    children = [in_child(lambda: open_dataset(data, CONTRACT)) for _ in range(3)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert log.read_text().count("built") == len(CONTRACT.cameras)


def test_an_existing_directory_is_not_overwritten(data: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
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


def test_changed_pixels_are_decoded_again_and_touched_files_are_not(data: Path, tmp_path: Path) -> None:
    before = open_dataset(data, CONTRACT).gather(torch.arange(5))["observation.images.front"]
    os.utime(data / "data/chunk-000/file-000.parquet")
    open_dataset(data, CONTRACT)
    assert len(list((tmp_path / "cache/frames").glob("*/frames.npy"))) == 2
    write_synthetic(tmp_path / "other", CONTRACT, (20, 30, 25), seed=1)
    name = "data/chunk-000/file-000.parquet"
    (data / name).write_bytes((tmp_path / "other" / name).read_bytes())
    after = open_dataset(data, CONTRACT).gather(torch.arange(5))["observation.images.front"]
    assert not torch.equal(before, after)


def test_a_full_disk_is_an_error_before_anything_is_decoded(data: Path, tmp_path: Path) -> None:
    told, teller = FORK.Pipe(duplex=False)

    def with_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with pytest.raises(DataError) as caught:
            open_dataset(data, CONTRACT)
        teller.send(str(caught.value))

    in_child(with_little_room).join()
    assert told.poll(0)
    assert "the image cache needs 0.1 MB" in told.recv()
    assert not leftovers(tmp_path)


def test_a_cache_that_cannot_be_written_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(DataError, match=r"cannot be written .*; set TRUNKZOO_CACHE"):
        open_dataset(data, CONTRACT)


def test_a_damaged_cache_is_named(data: Path, tmp_path: Path) -> None:
    open_dataset(data, CONTRACT)
    for path in (tmp_path / "cache/frames").glob("*/frames.npy"):
        os.truncate(path, 1000)
    with pytest.raises(DataError, match=r"image cache .* is damaged .*; delete it and run again"):
        open_dataset(data, CONTRACT)
