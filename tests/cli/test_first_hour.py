"""What a newcomer asks next: which runs there are, which of two is better, what may go, which names there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reach_task import install, untrained
from tiny import TrainTiny
from trunkzoo.checkpoint.layout import why_this_one
from trunkzoo.training.metrics import duration, losses, read_metrics
from trunkzoo.training.runs import checkpoint_scores, facts_of_run, find_runs
from trunkzoo.training.waste import find_waste
from trunkzoo_cli.app import main
from trunkzoo_cli.commands.list_records import _grouped
from trunkzoo_cli.completion import complete_recipe_or_run, complete_run
from zoo_process import pip_install
from zoo_process import zoo as run_zoo


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


def test_runs_are_listed_with_how_far_they_came(tiny_run: TrainTiny, tmp_path: Path) -> None:
    tiny_run("runs/whole")
    tiny_run("runs/deep/half", stop_at=4)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    found = {Path(it.path).name: it for it in map(facts_of_run, find_runs(tmp_path / "runs"))}
    assert {name: it.state for name, it in found.items()} == {"broken": "damaged", "half": "stopped", "whole": "done"}
    assert (found["half"].step, found["half"].steps, found["half"].recipe) == (4, 8, "tiny")
    assert found["whole"].score.startswith("loss ")
    assert found["whole"].megabytes > 0


def test_cells_of_a_suite_are_continued_by_their_suite(
    tiny_run: TrainTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = tiny_run("my runs/tour/cells/train-a-0123456789ab/run", stop_at=4, checkpoint_every=2, keep=8).output
    monkeypatch.chdir(tmp_path)
    assert zoo("runs", "my runs") == 0
    told = capsys.readouterr().err
    assert "`zoo suite run NAME -o 'my runs/tour'` continues the suite whose cells these are" in told
    assert "--resume" not in told
    tiny_run("my runs/alone", stop_at=4)
    assert zoo("runs", "my runs") == 0
    assert "`zoo train --resume RUN` continues a stopped run" in capsys.readouterr().err
    monkeypatch.chdir(cell.parent)  # a suite needs every checkpoint of its cells, from wherever one looks
    assert list(find_waste(Path("."))) == []


def test_the_best_score_is_what_was_played(tiny_run: TrainTiny, tmp_path: Path) -> None:
    result = tiny_run(holdout_episodes=1)
    assert facts_of_run(result.output).score.startswith("held-out error ")
    rows = [json.dumps({"seed": seed, "success": seed < 3}) for seed in range(4)]
    (result.checkpoint / "eval-agent.jsonl").write_text("\n".join(rows) + "\n")
    assert facts_of_run(result.output).score == "3/4 solved at step 8"


def test_every_checkpoint_is_shown_with_its_held_out_error(
    tiny_run: TrainTiny, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tiny_run(holdout_episodes=1, checkpoint_every=4)
    (result.checkpoint / "eval-agent.jsonl").write_text('{"seed": 1, "success": true}\n{"seed": 2, "success": false}\n')
    logged = {row["step"]: row["holdout_error"] for row in read_metrics(result.output) if "holdout_error" in row}
    found = {each.step: each for each in checkpoint_scores(result.output)}
    assert {step: each.holdout_error for step, each in found.items()} == logged
    assert (found[4].solved, found[8].solved, found[8].episodes) == (None, 1, 2)
    assert zoo("inspect", str(result.output)) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"^step 4 +{logged[4]:.4g} +–$", shown, re.MULTILINE)
    assert re.search(rf"^step 8 +{logged[8]:.4g} +1/2$", shown, re.MULTILINE)
    assert checkpoint_scores(result.checkpoint) == []


def test_training_says_the_held_out_error_of_a_checkpoint(
    tiny_run: TrainTiny, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tiny_run(holdout_episodes=1, progress=True)
    (error,) = {row.get("holdout_error") for row in read_metrics(result.output) if row.get("step") == 8} - {None}
    assert f"step-000008, held-out action error {error:.4g}" in capsys.readouterr().err


def test_waste_is_shown_first_and_deleted_on_demand(
    tiny_run: TrainTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))
    images = tmp_path / "cache" / "frames" / "abc"
    images.mkdir(parents=True)
    (images / "frames.npy").write_bytes(b"0" * 1000)
    result = tiny_run("runs/one", checkpoint_every=2, keep=8)
    leftover = tmp_path / "runs" / ".one.partial-0badcafe"
    leftover.mkdir()
    evaluated = result.output / "checkpoints" / "step-000002"
    (evaluated / "eval-agent.jsonl").write_text("{}\n")
    assert {waste.kind for waste in find_waste(tmp_path / "runs")} >= {"leftover", "old checkpoint"}
    assert zoo("clean", str(tmp_path / "runs")) == 0
    assert leftover.exists()
    assert "the same command with --yes does it" in capsys.readouterr().err
    before = set((result.output / "checkpoints").iterdir())
    assert zoo("clean", str(tmp_path / "runs"), "--yes") == 0
    assert not leftover.exists()
    assert images.exists()  # of all runs of this user, not of the directory that was named
    monkeypatch.chdir(tmp_path)
    assert zoo("clean", "--yes") == 0
    assert "image cache" in capsys.readouterr().out
    assert not images.exists()
    kept = {path.name for path in (result.output / "checkpoints").iterdir()}
    assert {"step-000002", "step-000008", "last", "best"} <= kept
    assert len(kept) <= len(before)
    assert (result.output / "checkpoints" / "best").resolve().is_dir()
    assert list(find_waste(tmp_path / "runs")) == []


def test_two_agents_are_compared_on_the_same_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (untrained(tmp_path / name) for name in ("one", "two"))
    assert zoo("compare", str(one), str(two), "-n", "6", "--workers", "1") == 0
    shown = capsys.readouterr().out
    assert "No difference in success that 6 episodes could show" in shown
    assert f"{one} " in shown
    assert zoo("compare", str(one), str(two), "-n", "6", "--workers", "1", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [comparison["ties"] for comparison in found["comparisons"]] == [6, 6]  # equal weights: equal episodes
    seeds = [[row["seed"] for row in rows] for rows in found["rows"].values()]
    assert seeds[0] == seeds[1] == list(range(2_000_000, 2_000_006))
    assert zoo("compare", str(one), str(one)) == 2
    assert "both are the same checkpoint" in capsys.readouterr().err


def test_an_evaluation_says_which_checkpoint_it_takes(tiny_run: TrainTiny) -> None:
    result = tiny_run(checkpoint_every=4)
    said = why_this_one(result.output)
    assert "takes step-000008, the newest of 2" in said
    assert why_this_one(result.checkpoint) == ""
    if result.best != result.checkpoint:
        assert "checkpoints/best (step-000004)" in said


def test_the_shell_proposes_names_without_torch() -> None:
    code = (
        "import sys\n"
        "from trunkzoo_cli import completion as c\n"
        "print(c.complete_recipe('tour-'), c.complete_trunk('resnet-1'), c.complete_task('reach/'), c.complete_suite('tour'))\n"
        "print(c.complete_pattern('reach'), c.complete_pattern('tour-a'))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['tour-attnres', 'tour-resnet'] ['resnet-18'] ['reach/detour', 'reach/reach'] ['tour']",
        "['reach/', 'reach/detour', 'reach/reach'] ['tour-attnres']",
    ]


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("zoo build tour", ["tour-attnres", "tour-resnet"]),
        ("zoo list reach", ["reach/", "reach/detour", "reach/reach"]),
        ("zoo list --kind t", ["trunk", "task"]),
        ("zoo eval --policy ex", ["expert"]),
    ],
)
def test_the_shells_own_protocol_gives_names(typed: str, proposed: list[str]) -> None:
    done = run_zoo(_ZOO_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split()) - 1))
    assert done.out.split() == proposed


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("show", "reach"), "metaworld/reach (task), reach/detour (task), reach/reach (task); give the full name"),
        (("collect", "reach", "-n", "1", "-o", "x"), "ambiguous: metaworld/reach, reach/reach; give the full name"),
    ],
)
def test_a_short_name_of_several_records_lists_them(
    command: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo(*command) == 2
    assert told in capsys.readouterr().err


def test_runs_are_proposed_by_what_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs/one", "runs/two", "elsewhere/three"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").touch()
    monkeypatch.chdir(tmp_path)
    assert complete_run("") == ["runs/one", "runs/two"]
    assert complete_run("runs/t") == ["runs/two"]
    assert complete_run("elsewhere/") == ["elsewhere/three"]
    assert "runs/one" in complete_recipe_or_run("runs/o")


def test_many_tasks_of_one_plugin_are_one_line() -> None:
    tasks = [{"kind": "task", "name": f"many/t{i}", "summary": "s"} for i in range(9)]
    shown = _grouped([*tasks, {"kind": "task", "name": "few/t", "summary": "s"}])
    assert [row["name"] for row in shown] == ["many/*", "few/t"]
    assert shown[0]["summary"].startswith("9 tasks: t0, t1, t2, t3, …")


def test_a_list_says_what_is_not_installed(tmp_path: Path) -> None:
    from zoo_process import GOOD, write_plugin

    write_plugin(tmp_path, "good", GOOD.replace('summary="', 'requires=("no_such_module",), summary="'))
    done = run_zoo("list", "good", path=tmp_path)
    assert "* good/" in done.out
    assert "not installed here: pip install no_such_module" in done.err


@pytest.mark.parametrize("kind", ["trunk", "head", "task", "policy"])
def test_a_new_plugin_of_every_kind_keeps_the_rules(kind: str, tmp_path: Path) -> None:
    done = run_zoo("new-plugin", "fresh", "pack", "--kind", kind, cwd=tmp_path)
    assert done.code == 0, done.err
    files = [path for path in (tmp_path / "pack").rglob("*") if path.is_file()]
    assert not [path for path in files if re.search(r"@[A-Z]+@", path.read_text())]
    pip_install(tmp_path / "pack", tmp_path / "site")
    checked = run_zoo("check", "fresh", "--quick", path=tmp_path / "site")
    assert checked.code == 0, checked.out + checked.err


def test_progress_shows_the_plain_error_beside_the_weighted_loss() -> None:
    assert losses({"loss": 2.0, "grad_norm": 1.0, "mse_u": 0.19, "mse_v": 0.2}) == "loss 2 · mse_u 0.19"
    assert losses({"loss": 1.5, "velocity_rms": 1.2}) == "loss 1.5 · velocity_rms 1.2"
    assert (duration(65), duration(7265)) == ("1:05", "2:01:05")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("trunk.widths=1,2", "must be a list; write [1, 2]"),
        ("contract.cameras=[agentview]", 'must be a list; write ["agentview"]'),
        ("encoder=blind", 'must be a table; write { name = "blind" }'),
        ("encoder.share_trunk=3", "boolean"),
    ],
)
def test_a_wrong_kind_of_value_is_told_with_the_right_spelling(
    setting: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo("show", "imf-attnres", "--set", setting) == 2
    assert told in capsys.readouterr().err
