"""``zoo train`` and ``zoo inspect`` on real plugins and a dataset on disk, in small sizes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.plugin import Contract
from trunkzoo.training.metrics import read_metrics
from trunkzoo_cli.app import main

SMALL = [
    *("contract.image_size=32", "head.width=16", "head.blocks=1", "head.heads=1"),
    *("train.batch_size=4", "train.log_every=1", "train.checkpoint_every=2", "encoder.shift=1"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short episodes with the cameras of the reference contract."""
    cameras = ("agentview", "robot0_eye_in_hand", "robot1_eye_in_hand")
    contract = Contract(cameras=cameras, image_size=(32, 32), state_dim=16, action_dim=16, cond_dim=208)
    directory = tmp_path_factory.mktemp("data") / "set"
    write_synthetic(directory, contract, [5, 20])
    return directory


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def command(data: Path, out: Path, *more: str, recipe: str = "imf-resnet18-demo") -> list[str]:
    settings = [part for setting in SMALL for part in ("--set", setting)]
    return ["train", recipe, "--data", str(data), "-o", str(out), "--device", "cpu", *settings, *more]


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(list(arguments))
    return int(leaving.value.code or 0)


def test_train_then_inspect(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo(*command(data, tmp_path / "run", "--steps", "3", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["step"], result["signal"], Path(result["checkpoint"]).name) == (3, None, "step-000003")
    assert zoo("inspect", str(tmp_path / "run")) == 0
    shown = capsys.readouterr().out
    assert "3 cameras × 64 + 16 state = 208" in shown
    assert "imf/imf" in shown
    assert "as in the manifest" in shown


def test_from_starts_where_another_run_ended(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo(*command(data, tmp_path / "first", "--steps", "1")) == 0
    more = ["--from", str(tmp_path / "first"), "--from-parts", "trunk, head"]
    assert zoo(*command(data, tmp_path / "next", "--steps", "1", *more)) == 0
    said = capsys.readouterr().err
    assert "starts from imf-resnet18-demo, step 1" in said
    assert "cameras: fresh" in said
    assert "fresh, from the data" in said
    started = json.loads((tmp_path / "next/run.json").read_text())["start"]
    assert started["parts"] == ["trunk", "head"]


def test_attnres_trunk_logs_its_depth_weights(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo(*command(data, tmp_path / "run", "--steps", "2", recipe="imf-attnres-demo")) == 0
    entropies = [row["depth_entropy"] for row in read_metrics(tmp_path / "run")]
    assert entropies[0] > 0.99  # zero queries: uniform
    assert all(0 < entropy <= 1 + 1e-6 for entropy in entropies)


def test_stop_at_and_resume_equal_one_go(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo(*command(data, tmp_path / "whole", "--steps", "4")) == 0
    assert f"next: zoo eval {tmp_path / 'whole'}" in capsys.readouterr().out
    assert zoo(*command(data, tmp_path / "split", "--steps", "4", "--stop-at", "1", "--num-workers", "2")) == 0
    assert f"next: `zoo train --resume {tmp_path / 'split'}` does the other 3 steps" in capsys.readouterr().out
    assert zoo(*command(data, tmp_path / "split", "--steps", "4", "--resume", "--num-workers", "2")) == 0
    files = [tmp_path / name / "checkpoints/step-000004/training_state.safetensors" for name in ("whole", "split")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (["--set", "head.widht=3"], 2, "widht"),
        (["--steps", "many"], 2, "integer"),
        (["--set", "train.lr=-1"], 2, "train.lr"),
        (["--resume"], 2, "no run to resume"),
        (["--camera", "agentview"], 2, "write OURS=THEIRS"),
        (["--device", "gpu"], 2, "Invalid value for '--device': 'gpu' is not one of 'auto', 'cpu', 'cuda'"),
        (
            ["--from", "x", "--from-parts", "eyes"],
            2,
            "--from-parts: start.parts.0 = 'eyes': must be 'trunk', 'cameras',",
        ),
        (["one-more"], 2, "'one-more' is one name too many: `zoo train RECIPE --data DIR -o RUN` starts"),
        (["--data", "/nowhere"], 2, "/nowhere"),
        (["-o", "/proc/run"], 2, "cannot write /proc/run"),
        (["--set", "contract.pred_horizon=4"], 2, "num_action_steps 16 exceeds pred_horizon 4"),
    ],
)
def test_mistakes_are_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], code: int, message: str
) -> None:
    assert zoo(*command(data, tmp_path / "run", "--steps", "1", *change)) == code
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "Traceback" not in said


def test_existing_run_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    assert zoo(*command(data, tmp_path / "run")) == 2
    assert "already exists" in capsys.readouterr().err


def test_inspect_of_a_cut_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{")
    assert zoo("inspect", str(tmp_path / "model.safetensors")) == 1
    assert "cut short" in capsys.readouterr().err


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_saves_and_leaves(data: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    arguments = command(data, tmp_path / "run", "--steps", "100000", "--threads", "1")
    process = subprocess.Popen([sys.executable, "-m", "trunkzoo_cli", *arguments], env=environment())
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoints" / "last").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == code
    assert zoo("inspect", str(tmp_path / "run")) == 0


def test_two_processes_equal_one(data: Path, tmp_path: Path) -> None:
    assert zoo(*command(data, tmp_path / "one", "--steps", "4", "--threads", "1")) == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "trunkzoo_cli"]
    subprocess.run([*torchrun, *command(data, tmp_path / "two", "--steps", "4")], env=environment(), check=True)
    for one, two in zip(read_metrics(tmp_path / "one"), read_metrics(tmp_path / "two"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-5)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)
