"""Every table line and every quoted sentence of RESULTS.md and of README's answer, re-derived from the committed rows."""

import re
from collections import Counter
from itertools import combinations
from statistics import fmean

import numpy as np
import pytest

from results_figure import FIGURE, draw
from results_page import LEAD, PAGES, ROOT, SCORES, Derived, derive, of_suite, rows, scores
from trunkzoo.registry import open_zoo
from trunkzoo.statistics import compare
from trunkzoo.suites.planning import load_suite

LONGER = LEAD.replace("phase2-lift", "phase2-lift-32")
LINES = [line for page in PAGES for line in derive((ROOT / page).read_text().splitlines())]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.folder}/{line.said}"[:120])
def test_a_line_says_what_its_rows_say(line: Derived) -> None:
    assert line.said == line.found


def test_no_line_of_a_table_and_no_sentence_is_passed_over() -> None:
    said = {line.said for line in LINES}
    for page in PAGES[:2]:
        for line in (ROOT / page).read_text().splitlines():
            assert line in said or not line.startswith("> "), line
            assert line in said or not re.match(r"\|.* \d+/\d+( = | \|)", line), line
    counts = Counter(line.kind for line in LINES)
    assert (counts["answer"], counts["difference"], counts["outcome"]) == (2, 40, 4)


def test_the_figure_shows_the_rows() -> None:
    assert FIGURE.read_text(encoding="utf-8") == draw()


def test_the_bounds_of_the_answer_are_the_upper_limits_of_its_intervals() -> None:
    found = of_suite(LEAD)
    intervals = [found["conv-18", b, "success"].widest for b in ("conv-18-uniform", "resnet-18")]
    (own, resnet), (first, second) = (i.text(2, signed=True) for i in intervals), (i.high for i in intervals)
    results, readme = (" ".join((ROOT / page).read_text().split()) for page in ("RESULTS.md", "README.md"))
    assert f"changes the success rate by {own} against its own control and by {resnet} against ResNet-18" in results
    assert f"adds at most {first:.2f} to the one and {second:.2f} to the other" in results
    assert f"at most {second:+.2f} in success over ResNet-18, and at most {first:+.2f} over its own control" in readme


def test_readme_says_the_intervals_of_the_second_task() -> None:
    found = of_suite("results/phase2-handover-32/robosuite/two-arm-handover")
    own, resnet = (found["conv-18", b, "success"].widest.text(2, signed=True) for b in ("conv-18-uniform", "resnet-18"))
    assert f"say the same: {own} and {resnet}." in " ".join((ROOT / "README.md").read_text().split())


def test_what_longer_chunks_give_is_paired_with_the_agents_of_the_lead_suite() -> None:
    said, found = " ".join((ROOT / "RESULTS.md").read_text().split()), []
    for arm in ("conv-18", "conv-18-uniform"):
        longer = scores(rows(LONGER, arm, "report"), "success")
        shorter = scores(rows(LEAD, arm, "report"), "success")[: len(longer)]
        found.append(compare("32", longer, "16", shorter, "success").difference.text(2, signed=True))
    assert f"longer chunks change success by {found[0]} and {found[1]}, paired" in said


def test_the_sums_over_the_tasks_of_metaworld() -> None:
    tasks = [line.said.split("|")[3:7] for line in LINES if line.kind == "task"]
    imf, regression, blind, full = (
        sum(int(cell.split("/")[0]) for cell in column) for column in zip(*tasks, strict=True)
    )
    said = " ".join((ROOT / "RESULTS.md").read_text().split())
    assert len(tasks) == 12
    assert f"solve {imf} (iMF) and {regression} (L1) of 240, the blind network {blind}," in said
    assert f"the one with perfect numbers {full}." in said


def test_every_comparison_of_the_suite_is_in_its_table() -> None:
    for folder in {line.folder for line in LINES if line.kind == "difference"}:
        lines = [line.said for line in LINES if line.folder == folder and line.kind == "difference"]
        expected = [f"| `{a}` − `{b}` | {measure} |" for a, b, measure in of_suite(folder)]
        assert sorted("|".join(line.split("|")[:3]) + "|" for line in lines) == sorted(expected)


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
    assert f"{-fmean(gains):.3f} worse on the other five" in (ROOT / "results/older.md").read_text()


@pytest.mark.parametrize("folder", sorted({line.folder for line in LINES if line.kind == "scores"}))
def test_arms_share_their_report_seeds_and_none_chose_a_checkpoint(folder: str) -> None:
    found = [SCORES.match(line.said) for line in LINES if line.folder == folder and line.kind == "scores"]
    arms = {match["arm"] for match in found if match}
    runs = [run for arm in arms for run in rows(folder, arm, "report")]
    report = {tuple(row["seed"] for row in run) for run in runs}
    assert len(report) == 1
    chosen = {row["seed"] for arm in arms for run in rows(folder, arm, "selection") for row in run}
    assert not chosen & set(*report)
