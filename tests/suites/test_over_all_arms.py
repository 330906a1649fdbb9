"""What a suite says of all its arms together: the text of ``zoo suite report`` and the page say the same."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, small
from scored import Scorer
from trunkzoo.suites.plan import every_cell
from trunkzoo.suites.results import read_results
from trunkzoo.suites.table import over_all_arms
from trunkzoo_cli.app import main

ARMS = '["reach-resnet", { name = "same", recipe = "reach-resnet" }, { name = "far", recipe = "reach-resnet" }]'
TEXT = re.sub("arms = .*", f"arms = {ARMS}", REGISTRY).replace("steps = 4", "steps = 4\ntraining_seeds = [0, 1, 2]")
SPREAD = r"Standard deviation of one episode's score by source – success: training [\d.]+ \[.+\], scene [\d.]+, rest [\d.]+; .+"


def said(folder: Path, far: float, *only: str, episodes: int = 40) -> list[str]:
    """The sentences of a finished suite whose third arm succeeds at the rate ``far``, the others at 0.4."""
    plan = small(folder, *only, text=TEXT.replace("report_episodes = 6", f"report_episodes = {episodes}"))
    Scorer({"reach-resnet": 0.4, "same": 0.4, "far": far}).run(every_cell(plan), lambda running: None)
    return over_all_arms(read_results(plan)[0])


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin ``reach`` for this process."""
    install(monkeypatch)


def test_the_text_and_the_page_of_a_suite_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spread, best = said(tmp_path, far=0.95)
    assert re.fullmatch(SPREAD, spread)
    assert best == "The best arm is at 95 % among: in success far; in average reward far."
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["suite", "report", "small", "-o", "runs"])
    page = html.unescape((tmp_path / "runs" / "report.html").read_text())
    assert all(f"<p>{line}</p>" in page for line in (spread, best))
    assert {spread, best} < set(capsys.readouterr().out.splitlines())


def test_arms_that_are_alike_are_all_among_the_best(tmp_path: Path) -> None:
    _, best = said(tmp_path, far=0.4)
    assert best.startswith("The best arm is at 95 % among: in success all (no arm is excluded); ")


def test_of_two_arms_the_comparison_says_which_is_better(tmp_path: Path) -> None:
    (spread,) = said(tmp_path, 0.95, "reach-*", "far")
    assert re.fullmatch(SPREAD, spread)


def test_four_episodes_say_nothing_of_all_arms(tmp_path: Path) -> None:
    assert said(tmp_path, far=0.95, episodes=4) == []
