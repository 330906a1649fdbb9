"""`zoo eval` shows an agent between its floors and the expert, in the table, in JSON and on the page."""

import json
import re
from pathlib import Path

import pytest

from reach_task import install, untrained
from trunkzoo.rollouts import read_rows
from trunkzoo_cli.app import main
from zoo_process import zoo, zoo_in_terminal


def evaluate(folder: Path, *arguments: str) -> None:
    rows = folder / "rows.jsonl"
    with pytest.raises(SystemExit) as leaving:
        main(["eval", str(folder / "agent"), "--workers", "1", "-o", str(rows), *arguments])
    assert leaving.value.code in (None, 0)


@pytest.fixture(autouse=True)
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    untrained(tmp_path)


def test_an_agent_stands_between_its_floors_and_the_expert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    evaluate(tmp_path, "-n", "4", "--floors", "3", "--json", "--report", str(page))
    found = json.loads(capsys.readouterr().out)
    seeds = [row["seed"] for row in found["rows"]]
    assert list(found["floors"]) == ["blind", "noop", "random", "expert"]
    for policy, floor in found["floors"].items():
        rows = read_rows(tmp_path / f"rows-{policy}.jsonl")
        assert rows == floor["rows"]
        assert [(row["policy"], row["seed"]) for row in rows] == [(policy, seed) for seed in seeds[:3]]
    assert found["floors"]["expert"]["summary"]["successes"] == 3
    assert found["floors"]["noop"]["rows"][0]["checkpoint_sha256"] is None
    text = page.read_text()
    assert "floors and the expert, 3 episodes each" in text
    assert all(policy in text for policy in found["floors"])


def test_floors_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(tmp_path, "-n", "1", "--floors", "0")
    assert "expert" not in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("rows*.jsonl")] == ["rows.jsonl"]


def test_watching_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["eval", "--policy", "noop", "--task", "reach/detour", "--live"])
    assert leaving.value.code == 2
    assert "--video K films K episodes instead" in capsys.readouterr().err


@pytest.mark.slow
def test_a_terminal_shows_what_the_cameras_see(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    asked = ["--policy", "expert", "--task", "reach/detour", "-n", "3", "--workers", "1"]
    run = zoo_in_terminal("eval", *asked, "--live", "-o", str(rows), columns=60)
    assert run.code == 0
    assert run.out.count("▀") >= 48 * 24  # one picture for certain; how many more, the speed of the machine says
    assert re.search(r"seed 200000\d, step \d+, reward \d\.\d\d", run.out)
    assert zoo("eval", *asked, "-o", str(tmp_path / "unseen.jsonl")).code == 0
    assert rows.read_bytes() == (tmp_path / "unseen.jsonl").read_bytes()
