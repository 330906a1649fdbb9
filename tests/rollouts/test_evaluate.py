"""Rollouts: episodes are functions of their seed, none is lost, rows are honest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from reach_task import install, reach, untrained
from trunkzoo.api import evaluate
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import ContractError, DataError, TaskError, UsageError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import REPORT_SEEDS, SELECTION_SEEDS, Evaluation, plan, read_rows, run
from trunkzoo.rollouts.live import LiveFrame, side_by_side
from trunkzoo.rollouts.seeds import parse_seeds


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the task ``reach/reach``."""
    install(monkeypatch)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An agent for ``reach/reach`` that was never trained."""
    return untrained(tmp_path)


def test_an_agent_gives_equal_rows_for_any_number_of_workers(checkpoint: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.jsonl" for n in (1, 2)]
    for n, file in zip((1, 2), files, strict=True):
        evaluate(checkpoint, seeds=range(4), workers=n, file=file)
    other = evaluate(checkpoint, seeds=range(4), noise_seed=1)
    assert files[0].read_bytes() == files[1].read_bytes()
    rows = read_rows(files[0])
    assert rows[0]["checkpoint_sha256"] is not None
    assert [row["return"] for row in rows] != [row["return"] for row in other.ordered]
    assert len(other.chunk_ms) == 4 * 8  # chunks of 2 actions in 16 steps


def test_an_agent_executes_as_many_actions_of_a_chunk_as_asked(checkpoint: Path) -> None:
    own, same, whole = (evaluate(checkpoint, seeds=range(2), num_action_steps=n) for n in (None, 2, 4))
    assert [row["return"] for row in own.ordered] == [row["return"] for row in same.ordered]
    assert [row["return"] for row in own.ordered] != [row["return"] for row in whole.ordered]
    assert (len(own.chunk_ms), len(whole.chunk_ms)) == (2 * 8, 2 * 4)
    assert "num_action_steps" not in own.ordered[0]  # rows are as they were before this could be asked
    assert {row["num_action_steps"] for row in whole.ordered} == {4}


@pytest.mark.parametrize("wanted", [0, 5])
def test_an_agent_executes_no_more_than_it_predicts(checkpoint: Path, wanted: int) -> None:
    with pytest.raises(UsageError, match=f"num_action_steps {wanted}: this agent predicts 4 actions"):
        evaluate(checkpoint, seeds=[0], num_action_steps=wanted)


def test_a_policy_without_chunks_cannot_be_told_how_many_to_execute() -> None:
    with pytest.raises(UsageError, match="only an agent predicts chunks"):
        evaluate(policy="noop", task=reach(), seeds=[0], num_action_steps=2)


def test_the_noise_of_a_chunk_belongs_to_its_seed_and_number(checkpoint: Path) -> None:
    import torch

    from trunkzoo import load_agent
    from trunkzoo.nn.draws import Draws, sample_seeds
    from trunkzoo.rollouts.policies import chunk_noise

    agent = load_agent(checkpoint)
    expected = Draws(sample_seeds(7, 5, torch.arange(3))).normal(4, 2)
    torch.testing.assert_close(torch.cat([chunk_noise(agent, 7, 5, k) for k in range(3)]), expected, rtol=0, atol=0)


def test_a_checkpoint_on_another_task_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ContractError, match="disagree"):
        plan(_with_robosuite(), "agent", checkpoint, Part(name="two-arm-lift"))


def _with_robosuite() -> Catalogue:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUNKZOO_PLUGINS", "reach,resnet,imf,robosuite")
        return open_zoo().catalogue


def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.jsonl" for n in (1, 3)]
    for n, file in zip((1, 3), files, strict=True):
        evaluate(policy="random", task=reach(), seeds=range(7), workers=n, file=file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [row["seed"] for row in read_rows(files[0])] == list(range(7))


def test_a_row_carries_what_a_sceptic_asks_for(tmp_path: Path) -> None:
    row = evaluate(policy="expert", task=reach(), seeds=[5], max_steps=12).ordered[0]
    assert row["seed"] == 5
    assert row["success"] is True
    assert row["steps"] == row["max_steps"] == 12
    assert row["return"] == pytest.approx(12 * row["average_reward"])
    assert row["max_reward"] <= 1
    assert 1 <= row["success_step"] <= 12
    assert row["success_rule"] == "within 0.05 of the target at some step"
    assert {"trunkzoo", "torch", "python"} <= row["versions"].keys()
    assert row["checkpoint_sha256"] is None


def test_floors_stay_below_the_expert() -> None:
    results = {
        policy: evaluate(policy=policy, task=reach(), seeds=range(6)).ordered for policy in ("noop", "random", "expert")
    }
    rewards = {name: sum(row["average_reward"] for row in rows) / 6 for name, rows in results.items()}
    assert all(row["success"] for row in results["expert"])
    assert rewards["noop"] < rewards["expert"] - 0.1
    assert rewards["random"] < rewards["expert"] - 0.1


@pytest.mark.parametrize("fault", ["exit", "raise"])
def test_a_worker_that_dies_is_replaced_and_its_episode_repeated(fault: str, tmp_path: Path) -> None:
    task = reach(fault=fault, once=str(tmp_path / "died"))
    rows = evaluate(policy="noop", task=task, seeds=range(5), workers=2).ordered
    assert (tmp_path / "died").exists()
    assert [row["seed"] for row in rows] == list(range(5))


def test_a_hung_worker_is_replaced(tmp_path: Path) -> None:
    task = reach(fault="hang", once=str(tmp_path / "hung"))
    evaluation = Evaluation(plan(open_zoo().catalogue, "noop", task=task), range(5))
    run([evaluation], workers=1, on_row=lambda *_: None, stall_seconds=3)
    assert [row["seed"] for row in evaluation.ordered] == list(range(5))


def test_an_episode_that_always_fails_is_an_error_with_the_last_words() -> None:
    with pytest.raises(TaskError, match=r"episode 3 .* failed 3 times.*RuntimeError: the simulation exploded"):
        evaluate(policy="noop", task=reach(fault="raise"), seeds=range(5))


def test_killed_workers_lose_nothing() -> None:
    """Kill three workers, each as soon as it appears."""
    expected = evaluate(policy="random", task=reach(), seeds=range(40)).ordered
    killed: set[int] = set()
    finished = threading.Event()

    def kill() -> None:
        while len(killed) < 3 and not finished.wait(0.05):
            workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
            victim = next((worker.pid for worker in workers if worker.pid not in killed), None)
            if victim:
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    rows = evaluate(policy="random", task=reach(), seeds=range(40), workers=2).ordered
    finished.set()
    killer.join()
    assert len(killed) == 3
    assert rows == expected


def test_a_cut_file_is_continued_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    evaluate(policy="random", task=reach(), seeds=range(6), file=file)
    whole = file.read_text()
    lines = whole.splitlines(keepends=True)
    file.write_text("".join(lines[:3]) + lines[3][:40])  # as a kill leaves it
    run_again: list[int] = []
    evaluate(
        policy="random", task=reach(), seeds=range(6), file=file, on_row=lambda _, row: run_again.append(row["seed"])
    )
    assert run_again == [3, 4, 5]
    assert file.read_text() == whole


def test_more_episodes_are_added_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    evaluate(policy="random", task=reach(), seeds=range(2), file=file)
    evaluate(policy="random", task=reach(), seeds=range(4), file=file)
    assert [row["seed"] for row in read_rows(file)] == [0, 1, 2, 3]


def test_rows_of_another_evaluation_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    evaluate(policy="random", task=reach(), seeds=range(2), file=file)
    with pytest.raises(UsageError, match="noise_seed of seed 0 is 0, now 1"):
        evaluate(policy="random", task=reach(), seeds=range(4), file=file, noise_seed=1)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"seed": 1}\nnonsense\n{"seed": 2}\n')
    with pytest.raises(DataError, match=r"rows.jsonl:2 is no result row"):
        read_rows(file)


def test_an_agent_without_checkpoint_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="needs a trained agent"):
        evaluate(task=reach(), seeds=range(2))


def test_a_floor_without_task_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="no task to act in: name one"):
        evaluate(policy="noop", seeds=range(2))


def test_selection_and_report_seeds_cannot_meet() -> None:
    assert not set(SELECTION_SEEDS[:: 10**5]) & set(REPORT_SEEDS)
    assert max(SELECTION_SEEDS) < min(REPORT_SEEDS)


@pytest.mark.parametrize("text", ["5", "5:", "²:5", "a:b", "7:3", "-1:4", "3:3", "0:1000001"])
def test_bad_seed_ranges_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write A:B"):
        parse_seeds(text)


def test_a_film_is_made_of_an_episode_that_was_counted_before(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    evaluate(policy="expert", task=reach(), seeds=[1, 2], file=file)
    rows = file.read_text()
    again = evaluate(policy="expert", task=reach(), seeds=[1, 2], file=file, films=tmp_path, filmed=1)
    assert (tmp_path / "seed-1.mp4").exists()
    assert again.resumed == 2
    assert file.read_text() == rows


def test_a_film_has_every_step_and_changes_no_row(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    plain = evaluate(policy="expert", task=reach(), seeds=[1])
    filmed = evaluate(policy="expert", task=reach(), seeds=[1], films=tmp_path, filmed=1)
    with av.open(str(tmp_path / "seed-1.mp4")) as film:
        frames = list(film.decode(video=0))
    assert len(frames) == 17
    assert json.dumps(filmed.ordered) == json.dumps(plain.ordered)


def test_a_film_shows_where_chunks_begin_over_the_reward() -> None:
    from trunkzoo.rollouts.film import SIDE, STRIP, TICK, compose

    frame = compose([np.zeros((16, 16, 3), np.uint8)], rewards=[1.0] * 8, chunks=[0, 4], first_success=None, steps=8)
    row = frame[SIDE + STRIP - 6]
    assert [x for x in range(frame.shape[1]) if tuple(row[x]) == TICK] == [0, frame.shape[1] // 2]


def test_watching_changes_no_row() -> None:
    unseen = evaluate(policy="random", task=reach(), seeds=range(3))
    watched, frames = Evaluation(unseen.plan, range(3), live=True), list[LiveFrame]()
    run([watched], 1, on_frame=frames.append)
    assert watched.ordered == unseen.ordered
    assert [frame.seed for frame in frames if frame.step == 0] == [0, 1, 2]
    assert {image.shape for frame in frames for image in frame.cameras} == {(16, 16, 3)}


def test_cameras_fit_a_terminal() -> None:
    cameras = [np.full((96, 96, 3), 9, np.uint8), np.full((60, 120, 3), 8, np.uint8)]
    wide, narrow = side_by_side(cameras, 300), side_by_side(cameras, 61)
    assert (wide.shape, narrow.shape) == ((48, 145, 3), (20, 61, 3))
    assert [int(value) for value in narrow[0, [0, 19, 20, 21, 60], 0]] == [9, 9, 0, 8, 8]


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    """Workers do not run the script that started them."""
    script = tmp_path / "script.py"
    script.write_text(
        "import trunkzoo\nprint('once')\n"
        "print(len(trunkzoo.evaluate(policy='noop', task='reach/detour', seeds=range(2), workers=2).ordered))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["once", "2"]
