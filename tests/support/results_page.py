"""RESULTS.md and README against the committed rows: every derived line, and what the rows say in its place.

``python tests/support/results_page.py`` shows the lines that the rows contradict, with ``-w`` it rewrites them.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from trunkzoo.catalogue.part import Part
from trunkzoo.registry import open_zoo
from trunkzoo.statistics import Comparison, Measure, adjust, compare, compare_arms, summarize
from trunkzoo.suites.comparing import pairs_of
from trunkzoo.suites.held_out import compare_errors
from trunkzoo.suites.paired_outcomes import outcome_differences
from trunkzoo.suites.planning import load_suite

ROOT = Path(__file__).parents[2]
PAGES = ("RESULTS.md", "results/older.md", "README.md")
MEASURES: dict[str, Measure] = {"success": "success", "average_reward": "average reward"}
LEAD = "results/phase2-lift/robosuite/two-arm-lift"
"""Where the rows of README's answer are."""

FOLDER = re.compile(r"^Rows: `(?P<folder>results/[\w./-]+)`")
SCORES = re.compile(
    r"^\| (?P<name>[^|]+) \| `(?P<arm>[\w.-]+)`(?P<blind>, blind)? \| \d+/\d+ = [^|]+ \| [^|]+ \|( (?P<best>[\d.]+|–) \|)?$"
)
DIFFERENCE = re.compile(r"^\| `(?P<a>[\w.-]+)` − `(?P<b>[\w.-]+)` \| (?P<measure>[a-z ]+) \|")
SENTENCE = re.compile(r"^> .+: (?P<a>[\w.-]+) [\d.]+, (?P<b>[\w.-]+) [\d.]+, difference ")
HELD = re.compile(
    r"^> Action error on held-out demonstrations .+: (?P<a>[\w.-]+) [\d.]+, (?P<b>[\w.-]+) [\d.]+, difference "
)
OUTCOMES = re.compile(r"^\| difference \|(?P<outcomes>( [a-z ]+ \|)+)$")
OUTCOME = re.compile(r"^\| `(?P<a>[\w.-]+)` − `(?P<b>[\w.-]+)` \|( [-+\d]\S* \[[^]|]+\] \|)+$")
ANSWER = re.compile(r"^\| `(?P<a>[\w.-]+)` \d+/\d+ \| `(?P<b>[\w.-]+)` \d+/\d+(?P<remark>[^|]*) \| [^|]+ \|$")
GLANCE = re.compile(
    r"^\| `(?P<suite>[\w-]+)` \| (?P<words>[^|]+) \| `(?P<a>[\w.-]+)` \d+/\d+ \| `(?P<b>[\w.-]+)` \d+/\d+ \| [^|]+ \| [^|]+ \| [^|]+ \| [^|]+ \|$"
)
ARMS = re.compile(r"^\| task \| level \|(?P<arms>( `[\w. -]+` \|)+)$")
TASK = re.compile(r"^\| `(?P<task>[\w-]+)` \| (?P<level>easy|medium|hard|very hard) \|")
LEVEL = re.compile(r"^\| (?P<level>easy|medium|hard|very hard) \|.* (?P<published>[\d.]+) \|$")
Rows = list[dict[str, Any]]


class Derived(NamedTuple):
    """One line of a page: where its rows are, what it says, and what they say."""

    kind: str
    folder: str
    said: str
    found: str


def derive(lines: Iterable[str]) -> Iterator[Derived]:
    """The lines that hold figures; where they have no rows, a line is passed over."""
    folder, arms, outcomes, levels = "", list[str](), list[str](), dict[str, list[list[float]]]()
    for line in lines:
        if match := FOLDER.match(line):
            folder, levels = match["folder"], {}
        elif match := OUTCOMES.match(line):
            outcomes = re.findall(r"[a-z][a-z ]*[a-z]", match["outcomes"])
        elif match := OUTCOME.match(line):
            cells = [outcome(folder, match["a"], match["b"], name) for name in outcomes]
            yield Derived("outcome", folder, line, f"| `{match['a']}` − `{match['b']}` | {' | '.join(cells)} |")
        elif match := SCORES.match(line):
            yield Derived("scores", folder, line, _scores(folder, match))
        elif match := DIFFERENCE.match(line):
            yield Derived("difference", folder, line, _difference(folder, match))
        elif match := HELD.match(line):
            errors = [held_out(folder, match[arm]) for arm in ("a", "b")]
            found = compare_errors(match["a"], errors[0], match["b"], errors[1])
            yield Derived("held out", folder, line, f"> {found.sentence()}")
        elif match := SENTENCE.match(line):
            yield Derived("sentence", folder, line, _sentence(folder, line, match))
        elif match := GLANCE.match(line):
            yield Derived("glance", _only_task(match["suite"]), line, _glance(match))
        elif match := ANSWER.match(line):
            yield Derived("answer", LEAD, line, _answer(match))
        elif match := ARMS.match(line):
            arms = re.findall("`(.+?)`", match["arms"])
        elif match := TASK.match(line):
            won = [_won_on(folder, match["task"], arm) for arm in arms]
            levels.setdefault(match["level"], []).append([fmean(each) for each in won])
            cells = [f"{sum(each)}/{len(each)}" for each in won]
            yield Derived("task", folder, line, f"| `{match['task']}` | {match['level']} | {' | '.join(cells)} |")
        elif (match := LEVEL.match(line)) and levels:
            means = [f"{fmean(rates):.2f}" for rates in zip(*levels[match["level"]], strict=True)]
            yield Derived("level", folder, line, f"| {match['level']} | {' | '.join([*means, match['published']])} |")


def rows(folder: str, arm: str, part: str) -> list[Rows]:
    """Episodes by training seed, each in the order of the episode seeds."""
    lines = (ROOT / folder / f"{arm}.jsonl").read_text().splitlines()
    found = [row for row in map(json.loads, lines) if row.get("part", "report") == part]
    found.sort(key=lambda row: (row.get("training_seed") or 0, row["seed"]))
    return [list(group) for _, group in groupby(found, key=lambda row: row.get("training_seed"))]


def held_out(folder: str, arm: str) -> list[float]:
    """Action error on held-out demonstrations of every training, in the order of the training seeds."""
    task, index = Path(folder).name, json.loads((ROOT / folder).parents[1].joinpath("cells.json").read_text())
    found = {entry["cell"]: entry["result"] for entry in index.values()}
    titles = [f"train {arm}-{task}-seed{run[0]['training_seed']}" for run in rows(folder, arm, "report")]
    return [float(found[title]["holdout_error"]) for title in titles]


def scores(runs: list[Rows], key: str) -> list[list[float]]:
    return [[float(row[key]) for row in run] for run in runs]


def _scores(folder: str, match: re.Match[str]) -> str:
    runs = rows(folder, match["arm"], "blind" if match["blind"] else "report")
    summary = summarize(scores(runs, "success"), scores(runs, "average_reward"))
    won = f"{summary.successes}/{summary.training_seeds * summary.episodes} = {summary.success.text()}"
    best = match["best"] if match["best"] in (None, "–") else f"{_best(folder, match['arm']):.3f}"
    name = f"`{match['arm']}`{match['blind'] or ''}"
    return f"| {' | '.join([match['name'], name, won, summary.reward_mean.text(3), *([best] if best else [])])} |"


def _best(folder: str, arm: str) -> float:
    """The best checkpoint's average reward on its selection seeds, mean over trainings."""
    best = []
    for run in rows(folder, arm, "selection"):
        steps = {row["step"] for row in run}
        best.append(max(fmean(row["average_reward"] for row in run if row["step"] == step) for step in steps))
    return fmean(best)


@cache
def of_suite(folder: str) -> dict[tuple[str, str, str], Comparison]:
    """The comparisons of the suite whose rows lie in ``folder``, as its report makes them, by arms and measure."""
    if "/robosuite/" not in folder:
        return {}
    arms = load_suite(open_zoo().registry, folder.split("/")[1]).arms
    arms = tuple(arm for arm in arms if (ROOT / folder / f"{arm.label}.jsonl").is_file())  # some may not have run yet
    pairs = pairs_of({arm.label: arm.control for arm in arms})
    runs = {arm.label: rows(folder, arm.label, "report") for arm in arms}
    found = [
        compare_arms({name: scores(run, key) for name, run in runs.items()}, pairs, measure)
        for key, measure in MEASURES.items()
    ]
    return {(c.a, c.b, c.measure): c for c in adjust([c for of_measure in found for c in of_measure])}


def _sentence(folder: str, line: str, match: re.Match[str]) -> str:
    key, measure = next((k, m) for k, m in MEASURES.items() if f" in {m}" in line)
    for a, b in (match.group("a", "b"), match.group("b", "a")):
        if (a, b, measure) in of_suite(folder):
            return f"> {of_suite(folder)[a, b, measure].sentence()}"
    a, b = match.group("a", "b")
    first, second = (scores(rows(folder, arm, "report"), key) for arm in (a, b))
    return f"> {compare(a, first, b, second, measure).sentence()}"


def _difference(folder: str, match: re.Match[str]) -> str:
    a, b, measure = match.group("a", "b", "measure")
    found = of_suite(folder)[a, b, measure]
    assert found.pooled is not None
    digits = 2 if measure == "success" else 3
    limits = f"[{found.pooled.low:+.{digits}f}, {found.pooled.high:+.{digits}f}]"
    own = found.difference.text(digits, signed=True)
    return f"| `{a}` − `{b}` | {measure} | {own} | {limits} | {_p(found.p)} | {_p(found.adjusted)} |"


def _p(p: float | None) -> str:
    assert p is not None
    return f"{p:.2f}" if p >= 0.01 else f"{p:.1g}"


def _answer(match: re.Match[str]) -> str:
    a, b = match.group("a", "b")
    ours, theirs = _won(LEAD, a), _won(LEAD, b)
    found = of_suite(LEAD)[a, b, "success"]
    assert found.pooled is not None
    said = f"{found.difference.value:+.2f} [{found.pooled.low:+.2f}, {found.pooled.high:+.2f}]"
    shares = [f"`{arm}` {sum(won)}/{len(won)}" for arm, won in ((a, ours), (b, theirs))]
    return f"| {shares[0]} | {shares[1]}{match['remark']} | {said} |"


def _glance(match: re.Match[str]) -> str:
    """One line of the table of all answers: who, how often each, in how many trainings, the difference, what could be seen."""
    folder = _only_task(match["suite"])
    a, b = match.group("a", "b")
    found, won = of_suite(folder)[a, b, "success"], {arm: _won(folder, arm) for arm in (a, b)}
    shares = [f"`{arm}` {sum(each)}/{len(each)}" for arm, each in won.items()]
    low, high = found.widest.low, found.widest.high
    said = f"{found.difference.value:+.2f} [{low:+.2f}, {high:+.2f}]"
    numbers = [str(found.training_seeds), said, _p(found.adjusted), f"{found.detectable:.2f}"]
    cells = [f"`{match['suite']}`", match["words"], *shares, *numbers]
    return f"| {' | '.join(cells)} |"


def outcome(folder: str, a: str, b: str, name: str) -> str:
    """Paired difference of two arms in an outcome beside success: a stage of the task, the best reward, steps to success."""
    first, second = (rows(folder, arm, "report") for arm in (a, b))
    found = outcome_differences(first, second, _stages(first[0][0]["task"]))[name]
    return found.text(1 if name == "steps to success" else 2, signed=True)


@cache
def _stages(task: str) -> Mapping[str, float]:
    return open_zoo().catalogue.configure("task", Part(name=task)).spec.stages


def _only_task(suite: str) -> str:
    (folder,) = (ROOT / "results" / suite / "robosuite").iterdir()
    return str(folder.relative_to(ROOT))


def _won(folder: str, arm: str) -> list[bool]:
    return [row["success"] for run in rows(folder, arm, "report") for row in run]


def _won_on(folder: str, task: str, arm: str) -> list[bool]:
    """Of one task among several: from its rows, or for agents without images from what metaworld_floors.py printed."""
    if (ROOT / folder / task / f"{arm}.jsonl").is_file():
        return _won(f"{folder}/{task}", arm)
    solved: dict[str, dict[str, list[bool]]] = json.loads((ROOT / folder).with_name("numbers.json").read_text())[
        "solved"
    ]
    return solved[task][arm]


def main() -> None:
    """Show the lines that the rows contradict; ``-w``: rewrite them."""
    for name in PAGES:
        text = (ROOT / name).read_text()
        for line in derive(text.splitlines()):
            if line.said != line.found:
                print(f"{name}\n- {line.said}\n+ {line.found}")
                text = text.replace(line.said, line.found)
        if "-w" in sys.argv[1:]:
            (ROOT / name).write_text(text)


if __name__ == "__main__":
    main()
