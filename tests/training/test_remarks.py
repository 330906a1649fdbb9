"""What data are beside what the recipe is for is said before training, and kept in run.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reach_task import REGISTRY, install
from trunkzoo.data.lerobot.writer import LeRobotWriter, task_features
from trunkzoo.data.synthetic import episode
from trunkzoo.plugin import TaskContract
from trunkzoo.training.directory import read_run
from trunkzoo_cli.app import main

DATA = TaskContract(cameras=("cam_high", "cam_low"), image_size=(24, 16), state_dim=2, action_dim=2)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    text = REGISTRY + '[recipes.robot]\nextends = "reach-resnet"\n'
    (tmp_path / "registry.toml").write_text(text)
    origin: dict[str, Any] = {"task": "robosuite/two-arm-lift", "seeds": [0]}
    with LeRobotWriter(tmp_path / "data", task_features(DATA), 30, origin=origin) as writer:
        for seed in (0, 1):
            writer.add_episode(episode(DATA, 6, np.random.default_rng(seed)), "lift", {"seed": seed})


def train(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["train", *arguments, "--threads", "1", "--set", "train.checkpoint_every=2"])
    return int(left.value.code or 0)


def begin(*more: str) -> int:
    camera = ["--camera", "top=cam_high"] if "--camera" not in more else []
    return train("reach-resnet", "--data", "data", "-o", "run", "--set", "train.batch_size=2", *camera, *more)


def test_other_data_are_trained_on_and_talked_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert begin("--steps", "2") == 0
    said = capsys.readouterr().err
    assert "these are demonstrations of robosuite/two-arm-lift, the recipe's task is reach/reach" in said
    assert "the data have 30 frames per second, reach/reach takes 10 actions per second" in said
    assert "images of cam_high, 24 × 16, become top, 16 × 16: each side is resized on its own" in said
    source = read_run(Path("run"))["data"]["source"]
    assert source == {
        "fps": 30.0,
        "task": "robosuite/two-arm-lift",
        "cameras": {"top": {"name": "cam_high", "size": [24, 16]}},
    }


def test_a_resume_with_another_camera_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert begin("--steps", "4", "--stop-at", "2") == 0
    assert begin("--steps", "4", "--resume", "--camera", "top=cam_low") == 2
    said = capsys.readouterr().err
    assert "camera top: cam_high ≠ cam_low" in said
    assert "data.images" not in said


def test_resume_alone_continues_all_that_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert begin("--steps", "6", "--stop-at", "2", "--seed", "3") == 0
    assert train("--resume", "run") == 0
    assert json.loads(Path("run/run.json").read_text())["seed"] == 3
    assert [path.name for path in Path("run/checkpoints").glob("step-*6")] == ["step-000006"]
    assert train("-o", "run", "--resume", "--steps", "8") == 0
    assert Path("run/checkpoints/step-000008").is_dir()
    whole = ("--seed", "3", "--steps", "6")
    assert (
        train(
            "reach-resnet",
            "--data",
            "data",
            "-o",
            "one",
            "--set",
            "train.batch_size=2",
            "--camera",
            "top=cam_high",
            *whole,
        )
        == 0
    )
    model = "checkpoints/step-000006/model.safetensors"
    assert Path("one", model).read_bytes() == Path("run", model).read_bytes()
    assert "demonstrations of robosuite" in capsys.readouterr().err


def test_a_run_that_is_resumed_may_stand_behind_its_recipe_and_its_data_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert begin("--steps", "6", "--stop-at", "2") == 0
    assert train("reach-resnet", "--resume", "run", "--set", "train.batch_size=2", "--stop-at", "3") == 0
    assert train("--resume", "run", "--data", "data", "--stop-at", "4") == 0
    assert train("--resume", "run", "--trunk", "resnet-34") == 2
    assert "trunk.name: resnet/resnet-18 ≠ resnet/resnet-34" in capsys.readouterr().err
    assert Path("run/checkpoints/step-000004").is_dir()


def test_a_finished_run_says_so_and_how_it_trains_longer(capsys: pytest.CaptureFixture[str]) -> None:
    assert begin("--steps", "2") == 0
    capsys.readouterr()
    assert train("--resume", "run") == 0
    told = capsys.readouterr().out
    assert told.startswith("run is finished, all 2 steps are done; `zoo train --resume run --steps 4` trains on\n")
    assert train("--resume", "run", "--steps", "4") == 0
    assert "step 4, " in capsys.readouterr().out


def test_the_length_of_a_run_is_kept_on_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert begin("--steps", "6", "--stop-at", "2") == 0
    assert begin("--resume") == 0
    assert "6 steps, as run was started with" in capsys.readouterr().err
    assert Path("run/checkpoints/step-000006").is_dir()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--resume", "nowhere"], "no run to resume at nowhere"),
        (["--resume"], "missing RUN: `zoo train --resume RUN` continues"),
        (["a", "b", "--resume", "-o", "c"], "'b' is one name too many"),
        (["reach-resnet"], "missing --data DIR, -o RUN: `zoo train RECIPE --data DIR -o RUN` starts"),
        ([], "missing RECIPE, --data DIR, -o RUN"),
    ],
)
def test_what_is_missing_is_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(*arguments) == 2
    assert told in capsys.readouterr().err


def test_a_recipe_without_a_task_does_not_lead_to_an_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = REGISTRY.replace('task = { name = "reach/reach" }\n', "").partition("[suites.small]")[0]
    (tmp_path / "registry.toml").write_text(text)
    assert begin("--steps", "2") == 0
    said = capsys.readouterr().out
    assert "next: zoo inspect run" in said
    assert "zoo eval" not in said
