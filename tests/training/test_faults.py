"""Kills and full disks around saving: there is always a loadable checkpoint, never older than the last announced."""

from __future__ import annotations

import io
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from torch import Tensor

from tiny import TinyWindows, TrainTiny
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent
from trunkzoo.checkpoint.layout import checkpoints_of
from trunkzoo.errors import DiskError
from trunkzoo.system.files import LEFTOVER

DISK_EVENTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}


@pytest.fixture
def train(tiny_run: TrainTiny) -> TrainTiny:
    """Train three steps, a checkpoint after each, the newest and the best kept."""
    return partial(tiny_run, steps=3, checkpoint_every=1, keep=1, threads=1)


def start(job: Callable[[], object], news: Path) -> int:
    """Run ``job`` in a forked process, what it says going to ``news``; returns its process id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        sys.stderr = news.open("a", buffering=1)
        job()
        code = 0
    except DiskError as error:
        sys.stderr.write(f"{error}\n")
    finally:
        os._exit(code)


def die_at(event_number: int, output: Path) -> None:
    """Kill this process just before its n-th operation on files of ``output``."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in DISK_EVENTS and any(str(output) in str(argument) for argument in arguments):
            seen += 1
            if seen > event_number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def announced(news: Path) -> int:
    return max((int(step) for step in re.findall(r"saved .*step-(\d+)", news.read_text())), default=0)


def wait_for_more_than(step: int, news: Path) -> None:
    while announced(news) <= step:
        time.sleep(0.01)


def check_survivors(output: Path, news: Path, catalogue: Catalogue) -> None:
    found = checkpoints_of(output)
    assert max(found, default=0) >= announced(news)
    for link in (output / "checkpoints").glob("[lb]*t"):
        load_agent(link, catalogue)  # last and best always point at something whole
    if found:
        load_agent(output, catalogue)


def kill_everywhere(train: TrainTiny, catalogue: Catalogue, tmp_path: Path, stride: int) -> int:
    whole = train(tmp_path / "whole")
    expected = [(whole.checkpoint / name).read_bytes() for name in ("model.safetensors", "training_state.safetensors")]
    number, killed = 0, True
    while killed:
        output, news = tmp_path / f"run-{number}", tmp_path / f"news-{number}"

        def job(output: Path = output, number: int = number) -> None:
            die_at(number, output)
            train(output)

        _, status = os.waitpid(start(job, news), 0)
        killed = os.WIFSIGNALED(status)
        check_survivors(output, news, catalogue)
        result = train(output, resume=(output / "run.json").exists())
        files = [
            (result.checkpoint / name).read_bytes() for name in ("model.safetensors", "training_state.safetensors")
        ]
        assert files == expected, f"after a kill before disk operation {number}"
        assert not [path for path in output.rglob("*") if LEFTOVER in path.name]
        number += stride
    return number


def test_kill_before_disk_operations(train: TrainTiny, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    assert kill_everywhere(train, tiny_catalogue, tmp_path, stride=7) > 30


@pytest.mark.slow
def test_kill_before_every_disk_operation(train: TrainTiny, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    kill_everywhere(train, tiny_catalogue, tmp_path, stride=1)


@pytest.mark.slow
def test_kill_at_fifty_random_moments(train: TrainTiny, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    output, news, moments = tmp_path / "run", tmp_path / "news", random.Random(0)
    news.touch()
    for number in range(50):
        process = start(lambda: train(output, resume=(output / "run.json").exists(), steps=100_000), news)
        if number % 2:  # while it saves, however busy the machine is
            wait_for_more_than(announced(news), news)
        time.sleep(moments.uniform(0.05, 0.6))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        check_survivors(output, news, tiny_catalogue)
    assert announced(news) >= 25


def fill_disk_at(step: int, windows: TinyWindows) -> None:
    """From ``step`` on this process may only write small files, as at the end of a quota."""
    gather, calls = windows.gather, []

    def gather_and_fill(indices: Tensor) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return gather(indices)

    pytest.MonkeyPatch().setattr(windows, "gather", gather_and_fill)  # until the process ends


def test_reached_quota_leaves_the_previous_checkpoint(
    train: TrainTiny, tiny_windows: TinyWindows, tiny_catalogue: Catalogue, tmp_path: Path
) -> None:
    output, news = tmp_path / "run", tmp_path / "news"

    def job() -> None:
        fill_disk_at(3, tiny_windows)
        train(output)

    _, status = os.waitpid(start(job, news), 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert re.search(r"disk full or quota reached while writing .*step-00000[23]", news.read_text())
    assert announced(news) >= 1
    check_survivors(output, news, tiny_catalogue)
    assert train(output, resume=True).step == 3


def test_a_disk_that_is_full_from_the_start(train: TrainTiny, tmp_path: Path) -> None:
    news = tmp_path / "news"

    def job() -> None:
        sys.stderr = io.StringIO()  # nothing can be written to a file any more
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        with pytest.raises(DiskError, match="disk full"):
            train(tmp_path / "run")

    _, status = os.waitpid(start(job, news), 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_leaves_the_previous_checkpoint(
    train: TrainTiny, small_disk: Path, tiny_catalogue: Catalogue
) -> None:
    output = small_disk / "run"
    train(output, steps=1)
    room = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(b"x" * (room.f_bavail * room.f_bsize - 16_384))
    with pytest.raises(DiskError, match="disk full"):
        train(output, resume=True)
    assert load_agent(output, tiny_catalogue)
    (small_disk / "other").unlink()
    assert train(output, resume=True).step == 3
