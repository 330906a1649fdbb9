"""Files and locks under kills and races: what a dead writer left is cleared, what a living one writes is not."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from trunkzoo.errors import UsageError, ZooError
from trunkzoo.system.files import LEFTOVER, clear_leftovers, new_directory, new_file, point_link, remove, write_text
from trunkzoo.system.locks import acquire

FORK = multiprocessing.get_context("fork")


def die_during(work: Callable[[], object]) -> None:
    """Do the work in a child that kills itself; ``work`` must do so in the end."""
    child = FORK.Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if LEFTOVER in path.name]


def write_and_die(target: Path) -> None:
    with new_file(target) as path:
        path.write_text("half")
        kill_myself()


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_clears_up(tmp_path: Path) -> None:
    target = tmp_path / "rows[1].jsonl"  # a name that is a pattern too
    write_text(target, "old")
    die_during(lambda: write_and_die(target))
    assert target.read_text() == "old"
    assert len(leftovers(tmp_path)) == 1
    write_text(target, "new")
    assert target.read_text() == "new"
    assert leftovers(tmp_path) == []


def test_clearing_a_folder_spares_the_living(tmp_path: Path) -> None:
    die_during(lambda: write_and_die(tmp_path / "dead"))
    with new_file(tmp_path / "alive") as path:
        path.write_text("whole")
        clear_leftovers(tmp_path)
        assert [name.split(LEFTOVER)[0] for name in leftovers(tmp_path)] == [".alive"]
    assert (tmp_path / "alive").read_text() == "whole"


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        (path / "file").write_text("half")
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"), new_directory(tmp_path / "data") as path:
        fail(path)
    assert list(tmp_path.iterdir()) == []


def test_modes_are_those_of_ordinary_files(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with new_directory(tmp_path / "data") as path:
        write_text(path / "file", "text")
        (path / "plain").write_text("text")
    assert (tmp_path / "data").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "data/file").stat().st_mode == (tmp_path / "data/plain").stat().st_mode


def test_an_empty_directory_may_be_filled_and_a_full_one_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with new_directory(tmp_path / "data") as path:
        (path / "file").touch()
    with pytest.raises(UsageError, match="already exists"), new_directory(tmp_path / "data"):
        pass
    remove(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_link_moves_at_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        point_link(tmp_path / "last", tmp_path / name)
        assert (tmp_path / "last").resolve() == tmp_path / name


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with acquire(path), pytest.raises(ZooError, match=f"^{os.getpid()}$"):
        acquire(path, UsageError)

    def hold_and_die() -> None:
        acquire(path)
        kill_myself()

    die_during(hold_and_die)
    with acquire(path, UsageError):
        assert path.read_text() == str(os.getpid())
