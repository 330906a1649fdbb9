"""A signal to a command that has workers: they end, what it made for itself goes, and people see one line at most."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from reach_task import install

COLLECT = ["collect", "reach/reach", "-n", "1000000", "--workers", "2", "-o", "demos"]
EVAL = ["eval", "--policy", "random", "--task", "reach/reach", "--seeds", "0:1000000", "--workers", "2", "-o", "rows"]


@contextmanager
def running(folder: Path, arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """``zoo`` in a session of its own, as a terminal starts it, with its temporary files in ``folder``/tmp."""
    (folder / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "trunkzoo_cli", *arguments],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(process.pid).children()
    return [child for child in found if not is_gone(child) and "spawn_main" in " ".join(child.cmdline())]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("arguments", [COLLECT, EVAL], ids=["collect", "eval"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_workers_end_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], number: signal.Signals
) -> None:
    install(monkeypatch)
    with running(tmp_path, arguments) as process:
        wait_for(lambda: len(workers_of(process)) == 2)
        wait_for(lambda: arguments is COLLECT or bool(list((tmp_path / "tmp").iterdir())))
        workers = workers_of(process)
        to_all = os.killpg if number == signal.SIGINT else os.kill  # Ctrl-C reaches the whole group
        to_all(process.pid, number)
        _, err = process.communicate(timeout=60)
    wait_for(lambda: all(is_gone(worker) for worker in workers))
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in err, err
    assert err.count("\n") <= 2
    if number != signal.SIGKILL:
        assert not [path for path in tmp_path.rglob("*") if ".partial-" in path.name or "trunkzoo-" in path.name]


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6])
def test_an_interrupt_while_workers_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    install(monkeypatch)
    with running(tmp_path, EVAL) as process:
        wait_for(lambda: bool(workers_of(process)))
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err, err
    assert "zoo: interrupted\n" in err
