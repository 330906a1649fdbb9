"""A suite over two hosts, which share a directory or do not; one of them is lost on the way."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from hosts import Host, missing, two_hosts
from reach_task import FOLDER, REGISTRY, install, small
from suite_evidence import evidence_of
from trunkzoo.suites.engine import LocalEngine
from trunkzoo.suites.run import run_suite
from trunkzoo.training.directory import read_run

TWO_TRAININGS = (
    REGISTRY.replace("steps = 4", "steps = 240\nblind = false\ntraining_seeds = [0, 1]")
    .replace("checkpoints = 2", "checkpoints = 4")
    .replace("report_episodes = 6", "report_episodes = 3")
    .replace(
        ', { name = "reach-wide", recipe = "reach-resnet", set = { "trunk.width" = 32 } }]',
        "]\nbaselines = [{ name = 'base', recipe = 'reach-resnet' }]",
    )
)
SUPPORT = Path(__file__).parents[1] / "support"
DRIVER = """
import sys
from pathlib import Path
from reach_task import small
from test_hosts import TWO_TRAININGS
from trunkzoo.suites.ray_engine import RayEngine
from trunkzoo.suites.run import run_suite
run_suite(small(Path(sys.argv[1]), "base", text=TWO_TRAININGS), RayEngine(), print)
"""
"""What `zoo suite run` does, on the first host."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one machine finds."""
    if why := missing():
        pytest.skip(why)
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        plan = small(tmp_path_factory.mktemp("one"), "base", text=TWO_TRAININGS)
        run_suite(plan, LocalEngine(2), lambda _: None)
        return evidence_of(plan)


def ray_start(*options: str) -> list[str]:
    fixed = ["--num-cpus=2", "--object-store-memory=200000000", "--disable-usage-stats", "--block"]
    return [sys.executable, "-m", "ray.scripts.scripts", "start", *fixed, *options]


def works(host: Host) -> bool:
    """Does a cell run there?"""
    for process in host.processes():
        try:
            if "trunkzoo.suites" in psutil.Process(process).cmdline():
                return True
        except psutil.NoSuchProcess:
            continue
    return False


def scores(cells: Path) -> bool:
    """Have both trainings' evaluations written rows?"""
    return len({rows.parent for rows in cells.glob("evaluate-*/selection-*.jsonl") if rows.stat().st_size}) == 2


def trains_beyond(cells: Path, step: str) -> bool:
    """Have both trainings saved the checkpoint of a step?"""
    trains = list(cells.glob("train-*"))
    return len(trains) == 2 and has_passed(trains, step)


def has_passed(trains: Sequence[Path], step: str) -> bool:
    return all((train / "run" / "checkpoints" / step / "manifest.json").is_file() for train in trains)


@pytest.mark.cluster
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("own_disks", "moment", "lost"),
    [
        pytest.param(True, partial(trains_beyond, step="step-000060"), 1, id="separate-training"),
        pytest.param(False, partial(trains_beyond, step="step-000120"), 1, id="shared-training"),
        pytest.param(False, scores, 0, id="shared-evaluating"),
    ],
)
def test_a_suite_over_two_hosts_of_which_one_is_lost(
    expected: dict[str, Any],
    own_disks: bool,
    moment: Callable[[Path], bool],
    lost: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``lost``: trainings that are cut."""
    install(monkeypatch)
    paths = os.pathsep.join([str(FOLDER), str(SUPPORT), str(Path(__file__).parent)])
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 unless said, which starves on a busy machine
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with two_hosts(own_disks) as (head, node, disk):
        address = f"{head.address}:6379"
        own = {"RAY_ADDRESS": address, "TMPDIR": str(disk)}
        head.start(
            ray_start(
                "--head",
                f"--node-ip-address={head.address}",
                "--port=6379",
                f"--temp-dir={disk}",
                "--include-dashboard=false",
            ),
            tmp_path / "head.txt",
        )
        node.start(ray_start(f"--address={address}", f"--node-ip-address={node.address}"), tmp_path / "node.txt")
        wait_until(lambda: all(runs(host, "raylet") for host in (head, node)), 120)
        (head.disk / "suite").mkdir()
        driver = head.start([sys.executable, "-c", DRIVER, str(disk / "suite")], tmp_path / "driver.txt", own)
        cells = head.disk / "suite" / "runs" / "cells"
        wait_until(lambda: moment(cells), 1800)  # alone a minute or two; a busy machine gets there too
        assert works(head)
        assert works(node)
        assert (node.disk / "suite").exists() is not own_disks
        node.cut_power()
        assert driver.wait(1200) == 0, (tmp_path / "driver.txt").read_text()
        (head.disk / "suite" / "runs").rename(tmp_path / "runs")
    plan = small(tmp_path, "base", text=TWO_TRAININGS)
    assert evidence_of(plan) == expected
    sessions = [
        [each["from_step"] for each in read_run(cell.directory / "run")["sessions"]] for cell in trains_of(plan)
    ]
    assert sorted(map(len, sessions)) == [1, 1 + lost]
    assert max(map(max, sessions)) in ((60, 120, 180) if lost else (0,))  # it went on from what had arrived


def trains_of(plan: Any) -> Any:
    return plan.tasks[0].arms[0].trains


def runs(host: Host, name: str) -> bool:
    return name in {psutil.Process(process).name() for process in host.processes() if psutil.pid_exists(process)}


def wait_until(true: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.5)
