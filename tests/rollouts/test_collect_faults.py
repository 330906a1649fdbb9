"""A task or an expert that raises while it demonstrates is one line, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reach_task import install
from trunkzoo.errors import TaskError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.collect import demonstrate
from trunkzoo_cli.app import main


def test_a_task_that_raises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    fault = ["--set", "fault=raise", "--set", "fault_seed=3000000"]
    with pytest.raises(SystemExit) as left:
        main(["collect", "faulty/reach", "-n", "1", "-o", str(tmp_path / "data"), "--workers", "1", *fault])
    told = capsys.readouterr().err.strip().splitlines()
    assert left.value.code == 1
    assert "the demonstration of seed 3000000 in task 'faulty/reach' failed: RuntimeError: the simulation" in told[-1]
    assert not any("Traceback" in line for line in told)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("actions", "told"),
    [([np.zeros(3)], r"the expert's action has shape \(3,\); the task's action_dim is 2"), ([], "no command at all")],
)
def test_an_expert_that_does_not_fit_is_told(actions: list[Any], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    found = open_zoo().catalogue.task("reach/reach").spec
    task = found.build(found.config())
    left = iter(actions)

    class Expert:
        def act(self) -> Any:
            return next(left, None)

    monkeypatch.setattr(task, "expert", lambda seed: Expert())
    with pytest.raises(TaskError, match=told):
        demonstrate(task, 0, 1.0, 8)
