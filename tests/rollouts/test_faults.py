"""What goes wrong during an evaluation is said, and costs no episode that was counted."""

from __future__ import annotations

import json
import math
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from reach_task import install, orphans_of, reach
from trunkzoo.api import evaluate
from trunkzoo.errors import DataError, DiskError, TaskError, UsageError
from trunkzoo.plugin import Step
from trunkzoo.rollouts import read_rows
from trunkzoo.rollouts.episode import run_episode
from trunkzoo.rollouts.rows import Row, RowFile
from trunkzoo.rollouts.scores import scores
from trunkzoo.rollouts.scripted import NoopPolicy


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the task ``reach/reach``."""
    install(monkeypatch)


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: the system refuses in the middle of a write, as a full disk does."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))


def numbers(seed: int) -> Row:
    """A row without provenance."""
    return {"seed": seed, "success": False, "return": 0.0, "average_reward": 0.0, "max_reward": 0.0, "steps": 1}


def test_a_full_disk_is_said_and_the_rows_before_it_stay(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"

    def write() -> None:
        with RowFile(file, {}) as rows:
            for seed in range(9):
                rows.append({**numbers(seed), "text": "x" * 100}, [1.0])

    with disk_of(1000), pytest.raises(DiskError, match="disk full"):
        write()
    assert len(file.read_bytes()) == 1000
    with RowFile(file, {}) as rows:
        assert list(rows.rows_of(range(9))) == [0, 1, 2, 3]
        rows.append(numbers(4), [])
    assert [row["seed"] for row in read_rows(file)] == [0, 1, 2, 3, 4]


def test_times_cut_in_a_line_are_continued(tmp_path: Path) -> None:
    file, times = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.ms"
    times.write_text('{"seed": 0, "chunk_ms": [1.5]}\n{"seed": 1, "chu')
    with RowFile(file, {}) as rows:
        rows.append(numbers(1), [2.5])
    with RowFile(file, {}) as rows:
        assert rows.chunk_ms == [1.5, 2.5]


def test_an_episode_filmed_later_must_repeat_its_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    evaluate(policy="expert", task=reach(), seeds=[1, 2], file=file)
    rows = read_rows(file)
    rows[0]["success_step"] += 1
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(TaskError, match=r"episode 1 of reach/reach was played again and success_step was"):
        evaluate(policy="expert", task=reach(), seeds=[1, 2], file=file, films=tmp_path, filmed=1)


@pytest.mark.parametrize(
    ("reward", "action", "said"), [(math.nan, 0.0, "reward is nan"), (0.5, math.inf, r"action is \[inf\]")]
)
def test_numbers_that_are_none_end_an_evaluation(
    reward: float, action: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trunkzoo_reach.config import ReachConfig
    from trunkzoo_reach.task import Reach

    task = Reach(ReachConfig())
    monkeypatch.setattr(task, "step", lambda _: Step(reward, False))
    monkeypatch.setattr(task, "hold", lambda: np.array([action], np.float32))
    with pytest.raises(TaskError, match=f"episode 7, step 1: .*{said}"):
        run_episode(task, NoopPolicy(), seed=7, max_steps=3)


def test_rows_of_another_version_are_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    evaluate(policy="noop", task=reach(fault="none"), seeds=[0], file=file)
    file.write_text(file.read_text().replace('"trunkzoo-faulty": "1.0"', '"trunkzoo-faulty": "0.9"'))
    with pytest.raises(UsageError, match=r"is {'trunkzoo-faulty': '0.9'}, now {'trunkzoo-faulty': '1.0'}"):
        evaluate(policy="noop", task=reach(fault="none"), seeds=[0, 1], file=file)


@pytest.mark.parametrize("request_", [{"noise_seed": -1}, {"max_steps": 0}])
def test_numbers_out_of_range_are_wrong_use(request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be 0 or more"):
        evaluate(policy="random", task=reach(), seeds=[0], **request_)


def test_training_seeds_on_different_episodes_are_named() -> None:
    rows = [{"seed": seed, "success": True} for seed in (1, 2, 3)]
    with pytest.raises(DataError, match="seeds 1, 3 of some"):
        scores([rows[:2], rows[1:]], "success")


def test_a_nan_in_the_rows_is_no_score() -> None:
    with pytest.raises(DataError, match="average_reward of seeds 4 is no finite number"):
        scores([[{"seed": 4, "average_reward": math.nan}]], "average_reward")


@pytest.mark.parametrize(
    "work",
    [
        "evaluate(policy='noop', task=task, seeds=[0])",
        "collect(open_zoo().catalogue.configure('task', task), 1, sys.argv[1] + '-data', first_seed=0)",
    ],
    ids=["evaluate", "collect"],
)
def test_a_hung_worker_leaves_with_its_killed_parent(work: str, tmp_path: Path) -> None:
    code = (
        "import sys; from trunkzoo import evaluate, open_zoo; from trunkzoo.catalogue.part import Part; "
        "from trunkzoo.rollouts.collect import collect; "
        "task = Part(name='faulty/reach', config={'fault': 'hang', 'fault_seed': 0, 'once': sys.argv[1]})\n"
        f"if __name__ == '__main__': {work}"
    )
    workers = orphans_of(code, tmp_path / "hung", tmp_path / "hung")
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
