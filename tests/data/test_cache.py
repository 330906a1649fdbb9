"""Kills, races and full disks around the image cache: it is whole, or it is built again, or it is an error."""

from __future__ import annotations

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
import pytest
import torch

from small_data import CONTRACT, leftovers
from trunkzoo.data import cache, open_dataset
from trunkzoo.data.lerobot.images import Block, Rows
from trunkzoo.data.lerobot.video import Frame
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import DataError

FORK = multiprocessing.get_context("fork")


def in_child(work: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    child = FORK.Process(target=work)
    child.start()
    return child


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

    parts = [(Block(Path("p"), np.arange(1000), read), frames) for read in (slow, broken)]
    began = time.monotonic()
    with pytest.raises(DataError, match="broken"):
        cache._decode(parts, (2, 2), threads=2)
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
    with pytest.raises(DataError, match=r"this image cache is damaged; delete it and run again"):
        open_dataset(data, CONTRACT)
