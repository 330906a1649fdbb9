"""A training over two hosts: equal to one host's two processes; a rank that is lost is one line, and it goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hosts import Host, missing, two_hosts
from reach_task import REGISTRY, install
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.registry import open_zoo
from trunkzoo.training.directory import read_run
from trunkzoo.training.metrics import read_metrics

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
STEPS, EVERY = 60, 10


def torchrun(*options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", *options, "-m", "trunkzoo_cli"]


def train(folder: Path, out: str) -> list[str]:
    settings = ["train.batch_size=4", f"train.checkpoint_every={EVERY}", "train.keep=0", "train.log_every=1"]
    given = [part for setting in settings for part in ("--set", setting)]
    where = ["--data", str(folder / "data"), "-o", str(folder / out), "--device", "cpu"]
    return ["train", "reach-resnet", *where, "--steps", str(STEPS), "--threads", "1", *given]


def on_both(hosts: tuple[Host, Host], folder: Path, out: str, *more: str) -> list[subprocess.Popen[bytes]]:
    """What the page on clusters says to start on each host."""
    nodes = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", hosts[0].address, "--master-port", "29500"]
    return [
        host.start(
            [*torchrun(*nodes, "--node-rank", str(rank)), *train(folder, out), *more],
            folder / f"{out}-{rank}.txt",
            {"TRUNKZOO_REGISTRY": str(folder / "registry.toml"), "OMP_NUM_THREADS": "1"},
        )
        for rank, host in enumerate(hosts)
    ]


def weights(folder: Path, out: str, step: int = STEPS) -> dict[str, torch.Tensor]:
    return load_file(folder / out / f"checkpoints/step-{step:06d}/model.safetensors")


def assert_equal(folder: Path, one: str, other: str) -> None:
    ours, theirs = weights(folder, one), weights(folder, other)
    assert ours.keys() == theirs.keys()
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in ours) <= 1e-6
    pairs = zip(read_metrics(folder / one), read_metrics(folder / other), strict=True)
    assert all(abs(a["loss"] - b["loss"]) <= 1e-6 for a, b in pairs)


def test_two_hosts_equal_one_and_a_lost_rank_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    if why := missing():
        pytest.skip(why)
    install(monkeypatch)
    with two_hosts(own_disks=False) as (first, second, shared):
        folder = first.disk.parent
        assert shared.is_dir()
        monkeypatch.setenv("TRUNKZOO_CACHE", str(folder / "cache"))
        (folder / "registry.toml").write_text(REGISTRY)
        contract = open_zoo(folder / "registry.toml").recipe("reach-resnet").recipe.contract
        write_synthetic(folder / "data", contract, [5, 20])
        monkeypatch.setenv("TRUNKZOO_REGISTRY", str(folder / "registry.toml"))
        one = [*torchrun("--nproc-per-node", "2"), *train(folder, "one")]
        subprocess.run(one, check=True, capture_output=True)

        both = on_both((first, second), folder, "two")
        assert [process.wait(400) for process in both] == [0, 0], (folder / "two-0.txt").read_text()
        assert read_run(folder / "two")["sessions"][0]["processes"] == 2
        assert_equal(folder, "one", "two")

        both = on_both((first, second), folder, "cut")
        deadline = time.monotonic() + 300
        while not (folder / f"cut/checkpoints/step-{2 * EVERY:06d}/manifest.json").is_file():
            assert time.monotonic() < deadline, (folder / "cut-0.txt").read_text()
            time.sleep(0.02)
        second.cut_power()
        assert both[0].wait(200) == 1
        both[1].wait(20)
        said = (folder / "cut-0.txt").read_text()
        lines = [line for line in said.splitlines() if "zoo: " in line]
        assert len(lines) == 1, said
        assert "another process of this training is gone" in lines[0]
        assert lines[0].endswith("(--resume)")
        assert "trunkzoo/training" not in said  # no traceback of ours

        both = on_both((first, second), folder, "cut", "--resume")
        assert [process.wait(400) for process in both] == [0, 0], (folder / "cut-0.txt").read_text()
        sessions = [session["from_step"] for session in read_run(folder / "cut")["sessions"]]
        assert len(sessions) == 2
        assert sessions[1] >= 2 * EVERY
        assert_equal(folder, "one", "cut")
