"""Recorders that are killed or run out of disk leave no half dataset, and no living recorder without its own."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trunkzoo.data import open_dataset
from trunkzoo.data.lerobot.layout import Feature
from trunkzoo.data.lerobot.writer import LeRobotWriter, task_features
from trunkzoo.data.synthetic import episode, write_synthetic
from trunkzoo.errors import DataError, DiskError
from trunkzoo.plugin import Contract
from trunkzoo.system.files import new_directory

FORK = multiprocessing.get_context("fork")
CONTRACT = Contract(
    cameras=("front",), image_size=(24, 16), state_dim=3, action_dim=2, camera_dim=5, cond_dim=8, pred_horizon=16
)


def finish(work: Callable[[], object]) -> None:
    """Let a child process do the work, and wait for its end, whatever that is."""
    child = FORK.Process(target=work)
    child.start()
    child.join()


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.partial-*"))


def test_a_killed_recorder_leaves_no_dataset_and_the_next_one_clears_up(tmp_path: Path) -> None:
    def record_and_die() -> None:
        with LeRobotWriter(tmp_path / "data", task_features(CONTRACT), fps=20) as writer:
            writer.add_episode(episode(CONTRACT, 5, np.random.default_rng(0)), "task")
            os.kill(os.getpid(), signal.SIGKILL)

    finish(record_and_die)
    assert len(leftovers(tmp_path)) == 1
    assert not (tmp_path / "data").exists()
    write_synthetic(tmp_path / "data", CONTRACT, (5,))
    assert not leftovers(tmp_path)
    assert len(open_dataset(tmp_path / "data", CONTRACT)) == 5


def test_a_feature_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"observation\.state has shape \[0\]: nothing to record"):
        LeRobotWriter(tmp_path / "data", {"observation.state": Feature("float32", (0,))}, fps=20)


def test_a_recorder_leaves_a_living_one_alone(tmp_path: Path) -> None:
    with new_directory(tmp_path / "data") as other:
        with pytest.raises(RuntimeError, match="mine"), new_directory(tmp_path / "data"):
            raise RuntimeError("mine")
        assert other.exists()


@pytest.mark.parametrize("video", [False, True])
def test_a_full_disk_while_recording_is_one_line(tmp_path: Path, video: bool) -> None:
    told, teller = FORK.Pipe(duplex=False)

    def with_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        with pytest.raises(DiskError) as caught:
            write_synthetic(tmp_path / "data", CONTRACT, (60,) * 9, video=video)
        teller.send(str(caught.value))

    finish(with_little_room)
    assert told.poll(0)
    assert "disk full or quota reached" in told.recv()
    assert list(tmp_path.iterdir()) == []
