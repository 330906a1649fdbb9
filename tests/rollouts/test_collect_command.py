"""What ``zoo collect`` refuses before any simulator starts, and what it reuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trunkzoo.data.lerobot.writer import LeRobotWriter, task_features
from trunkzoo.data.synthetic import episode
from trunkzoo.registry import open_zoo
from trunkzoo_cli.app import main

TASK = "robosuite/two-arm-lift"


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    return int(left.value.code or 0)


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A dataset that says it is two demonstrations of the lift, one seed having failed."""
    spec = open_zoo().catalogue.task(TASK).spec
    config = spec.config(**spec.defaults)
    contract = spec.contract(config)
    origin: dict[str, Any] = {"task": TASK, "config": config.model_dump(mode="json"), "noise": 1.0}
    origin |= {"seeds": [7, 9], "failed_seeds": [8]}
    with LeRobotWriter(tmp_path / "lift", task_features(contract), spec.fps, origin=origin) as writer:
        for seed in (7, 9):
            writer.add_episode(episode(contract, 3, np.random.default_rng(seed)), "lift", {"seed": seed})
    return tmp_path / "lift"


def test_an_existing_directory_is_refused(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo("collect", TASK, "-n", "2", "-o", str(collection), "--seed", "7") == 2
    assert "already exists" in capsys.readouterr().err


def test_the_same_collection_is_reused(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo("collect", TASK, "-n", "2", "-o", str(collection), "--seed", "7", "--reuse", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["reused"], facts["episodes"], facts["frames"], facts["seeds"]) == (True, 2, 6, [7, 9])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-n", "3", "--seed", "7"), "episodes 3 (asked) ≠ 2 (there)"),
        (("-n", "2", "--seed", "8"), "seed 8 (asked) ≠ 7 (there)"),
        (("-n", "2", "--seed", "7", "--noise", "0.5"), "noise 0.5 (asked) ≠ 1.0 (there)"),
    ],
)
def test_another_collection_is_not(
    collection: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    assert zoo("collect", TASK, "-o", str(collection), "--reuse", *options) == 2
    assert told in capsys.readouterr().err


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert zoo("collect", TASK, "-n", "1", "-o", str(tmp_path / "file/lift")) == 2
    assert "cannot write" in capsys.readouterr().err


def test_an_unknown_task_is_refused_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo("collect", "two-arm-lft", "-n", "1", "-o", str(tmp_path / "lift")) == 2
    assert "Did you mean 'two-arm-lift'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
