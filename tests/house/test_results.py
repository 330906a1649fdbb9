"""Every table line and every quoted sentence of RESULTS.md, re-derived from the committed rows."""

import json
import re
from functools import cache
from itertools import combinations, groupby
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pytest

from trunkzoo.registry import open_zoo
from trunkzoo.statistics import Comparison, Measure, adjust, compare, compare_arms, summarize
from trunkzoo.suites.comparing import pairs_of
from trunkzoo.suites.planning import load_suite

ROOT = Path(__file__).parents[2]
FOLDER = re.compile(r"^Rows: `(?P<folder>results/[\w./-]+)`")
LINE = re.compile(
    r"^\| [^|]+ \| `(?P<arm>[\w.-]+)`(?P<blind>, blind)? \| (?P<success>[^|]+) \| (?P<reward>[^|]+) \|"
    r"( (?P<best>[\d.]+|–) \|)?$"
)
DIFFERENCE = re.compile(r"^\| `(?P<a>[\w.-]+)` − `(?P<b>[\w.-]+)` \| (?P<measure>[a-z ]+) \| (?P<said>.+) \|$")
ANSWER = re.compile(
    r"^\| `(?P<a>[\w.-]+)` (?P<won>\d+/\d+) \| `(?P<b>[\w.-]+)` (?P<theirs>\d+/\d+)[^|]* \| (?P<said>[^|]+) \|$"
)
"""A line of README's answer."""
VERDICT = re.compile(r"^> (?P<sentence>.+)$")


class Line(NamedTuple):
    """A line of a table: where its rows are, and what it says."""

    folder: str
    arm: str
    part: str
    success: str
    reward: str
    best: str | None


def read() -> tuple[list[Line], list[tuple[str, str]], list[tuple[str, ...]]]:
    """The table lines of RESULTS.md, its quoted sentences and its differences, each with their folders."""
    folder, lines, verdicts, differences = "", [], [], []
    for text in (ROOT / "RESULTS.md").read_text().splitlines():
        if found := FOLDER.match(text):
            folder = found["folder"]
        elif found := LINE.match(text):
            part = "blind" if found["blind"] else "report"
            lines.append(Line(folder, found["arm"], part, found["success"], found["reward"], found["best"]))
        elif found := DIFFERENCE.match(text):
            differences.append((folder, *found.group("a", "b", "measure", "said")))
        elif found := VERDICT.match(text):
            verdicts.append((folder, found["sentence"]))
    return lines, verdicts, differences


LINES, VERDICTS, DIFFERENCES = read()
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


@cache
def of_suite(folder: str) -> list[Comparison]:
    """The comparisons of the suite whose rows lie in ``folder``, as its report makes them."""
    arms = load_suite(open_zoo().registry, folder.split("/")[1]).arms
    pairs = pairs_of({arm.label: arm.control for arm in arms})
    runs = {arm.label: rows(folder, arm.label, "report") for arm in arms}
    found = [
        compare_arms({name: scores(run, key) for name, run in runs.items()}, pairs, measure)
        for key, measure in MEASURES.items()
    ]
    return list(adjust([comparison for of_measure in found for comparison in of_measure]))


def alone(folder: str, arm: str, first: str) -> list[Comparison]:
    """Two arms that no suite compares."""
    runs, base = rows(folder, arm, "report"), rows(folder, first, "report")
    return [compare(arm, scores(runs, key), first, scores(base, key), measure) for key, measure in MEASURES.items()]


@pytest.mark.parametrize(("folder", "sentence"), VERDICTS)
def test_a_quoted_sentence(folder: str, sentence: str) -> None:
    first, *others = dict.fromkeys(line.arm for line in LINES if line.folder == folder and line.part == "report")
    said = [comparison.sentence() for comparison in of_suite(folder)] if "/robosuite/" in folder else []
    compared = {comparison.a for comparison in of_suite(folder)} if said else set()
    for arm in others:
        if f" {arm} " in sentence and arm not in compared:
            said += [comparison.sentence() for comparison in alone(folder, arm, first)]
    assert sentence in said


@pytest.mark.parametrize(("folder", "a", "b", "measure", "said"), DIFFERENCES)
def test_a_line_of_the_differences(folder: str, a: str, b: str, measure: str, said: str) -> None:
    (found,) = (c for c in of_suite(folder) if (c.a, c.b, c.measure) == (a, b, measure))
    assert found.pooled is not None
    digits = 2 if measure == "success" else 3
    limits = f"[{found.pooled.low:+.{digits}f}, {found.pooled.high:+.{digits}f}]"
    own = found.difference.text(digits, signed=True)
    assert said == f"{own} | {limits} | {found.p:.2f} | {found.adjusted:.2f}"


ANSWERS = [found for line in (ROOT / "README.md").read_text().splitlines() if (found := ANSWER.match(line))]


def test_the_readme_answers() -> None:
    assert len(ANSWERS) == 2


@pytest.mark.parametrize("line", ANSWERS, ids=lambda line: line["b"])
def test_a_line_of_the_readmes_answer(line: re.Match[str]) -> None:
    folder = "results/phase2-lift/robosuite/two-arm-lift"
    for arm, said in ((line["a"], line["won"]), (line["b"], line["theirs"])):
        won = [row["success"] for run in rows(folder, arm, "report") for row in run]
        assert said == f"{sum(won)}/{len(won)}"
    pair = (line["a"], line["b"], "success")
    (found,) = (c for c in of_suite(folder) if (c.a, c.b, c.measure) == pair)
    assert found.pooled is not None
    assert line["said"] == f"{found.difference.value:+.2f} [{found.pooled.low:+.2f}, {found.pooled.high:+.2f}]"


def test_every_comparison_of_the_suite_is_in_its_table() -> None:
    for folder in {line[0] for line in DIFFERENCES}:
        lines = [line[1:4] for line in DIFFERENCES if line[0] == folder]
        assert sorted(lines) == sorted((c.a, c.b, c.measure) for c in of_suite(folder))


def test_choosing_a_checkpoint_on_five_seeds_is_worse_than_the_last_on_the_other_five() -> None:
    """Over all halves of the ten selection seeds and all 18 trainings of phase2-cpu: 0.018 in average reward."""
    folder, gains = "results/phase2-cpu/robosuite/two-arm-lift", []
    config = load_suite(open_zoo().registry, "phase2-cpu")
    for run in (run for arm in config.everyone for run in rows(folder, arm.label, "selection")):
        steps = sorted({row["step"] for row in run})
        table = np.array([[row["average_reward"] for row in run if row["step"] == step] for step in steps])
        for half in map(list, combinations(range(table.shape[1]), table.shape[1] // 2)):
            rest = np.delete(table, half, axis=1).mean(1)
            gains.append(rest[table[:, half].mean(1).argmax()] - rest[-1])
    assert len(gains) == 18 * 252
    assert f"{-fmean(gains):.3f} worse on the other five" in (ROOT / "RESULTS.md").read_text()


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
    assert len(DIFFERENCES) == 10
