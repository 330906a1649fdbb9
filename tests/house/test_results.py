"""Every table line and every quoted sentence of RESULTS.md, re-derived from the committed rows."""

import json
import re
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import pytest

from trunkzoo.statistics import compare, summarize
from trunkzoo.statistics.comparison import Measure

ROOT = Path(__file__).parents[2]
FOLDER = re.compile(r"^Rows: `(?P<folder>results/[\w./-]+)`")
LINE = re.compile(
    r"^\| [^|]+ \| `(?P<arm>[\w.-]+)`(?P<blind>, blind)? \| (?P<success>[^|]+) \| (?P<reward>[^|]+) \|"
    r"( (?P<best>[\d.]+|–) \|)?$"
)
VERDICT = re.compile(r"^> (?P<sentence>.+)$")


class Line(NamedTuple):
    """A line of a table: where its rows are, and what it says."""

    folder: str
    arm: str
    part: str
    success: str
    reward: str
    best: str | None


def read() -> tuple[list[Line], list[tuple[str, str]]]:
    """The table lines of RESULTS.md, and its quoted sentences with their folders."""
    folder, lines, verdicts = "", [], []
    for text in (ROOT / "RESULTS.md").read_text().splitlines():
        if found := FOLDER.match(text):
            folder = found["folder"]
        elif found := LINE.match(text):
            part = "blind" if found["blind"] else "report"
            lines.append(Line(folder, found["arm"], part, found["success"], found["reward"], found["best"]))
        elif found := VERDICT.match(text):
            verdicts.append((folder, found["sentence"]))
    return lines, verdicts


LINES, VERDICTS = read()
MEASURES: dict[str, Measure] = {"success": "success", "average_reward": "average reward"}


def rows(folder: str, arm: str, part: str) -> list[list[dict[str, Any]]]:
    """Episodes by training seed, each in the order of the episode seeds."""
    lines = (ROOT / folder / f"{arm}.jsonl").read_text().splitlines()
    found = [row for row in map(json.loads, lines) if row.get("part", "report") == part]
    found.sort(key=lambda row: (row.get("training_seed") or 0, row["seed"]))
    return [list(group) for _, group in groupby(found, key=lambda row: row.get("training_seed"))]


def scores(runs: list[list[dict[str, Any]]], key: str) -> list[list[float]]:
    return [[float(row[key]) for row in run] for run in runs]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.folder}/{line.arm}/{line.part}")
def test_a_line_of_a_table(line: Line) -> None:
    runs = rows(line.folder, line.arm, line.part)
    summary = summarize(scores(runs, "success"), scores(runs, "average_reward"))
    assert line.success == f"{summary.successes}/{summary.training_seeds * summary.episodes} = {summary.success.text()}"
    assert line.reward == summary.reward_mean.text(3)


@pytest.mark.parametrize("line", [line for line in LINES if line.best not in (None, "–")], ids=lambda line: line.arm)
def test_the_best_selection_score(line: Line) -> None:
    best = []
    for run in rows(line.folder, line.arm, "selection"):
        steps = {row["step"] for row in run}
        best.append(max(fmean(row["average_reward"] for row in run if row["step"] == step) for step in steps))
    assert line.best == f"{fmean(best):.3f}"


@pytest.mark.parametrize(("folder", "sentence"), VERDICTS)
def test_a_quoted_sentence(folder: str, sentence: str) -> None:
    first, *others = dict.fromkeys(line.arm for line in LINES if line.folder == folder and line.part == "report")
    base = rows(folder, first, "report")
    arm = next(name for name in others if f" {name} " in sentence)
    runs = rows(folder, arm, "report")
    said = [
        compare(arm, scores(runs, key), first, scores(base, key), measure).sentence()
        for key, measure in MEASURES.items()
        if f" in {measure}" in sentence
    ]
    assert sentence in said


@pytest.mark.parametrize("folder", sorted({line.folder for line in LINES}))
def test_arms_share_their_report_seeds_and_none_chose_a_checkpoint(folder: str) -> None:
    arms = {line.arm for line in LINES if line.folder == folder}
    runs = [run for arm in arms for run in rows(folder, arm, "report")]
    report = {tuple(row["seed"] for row in run) for run in runs}
    assert len(report) == 1
    chosen = {row["seed"] for arm in arms for run in rows(folder, arm, "selection") for row in run}
    assert not chosen & set(*report)


def test_there_are_tables_and_sentences() -> None:
    assert len(LINES) >= 12
    assert len(VERDICTS) >= 2
