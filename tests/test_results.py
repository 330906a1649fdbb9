"""Every line of the tables in RESULTS.md, re-derived from the committed rows."""

import json
import re
from pathlib import Path

import pytest

from trunkzoo.statistics import compare, summarise

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "results" / "phase2-demo"
TEXT = (ROOT / "RESULTS.md").read_text()
LINE = re.compile(r"^\| [^|]+ \| `(?P<file>[\w.-]+)` \| (?P<success>[^|]+) \| (?P<reward>[^|]+) \|$", re.MULTILINE)
TABLE = [match.groups() for match in LINE.finditer(TEXT)]


def scores(name: str, key: str) -> list[float]:
    rows = [json.loads(line) for line in (ROWS / f"{name}.jsonl").read_text().splitlines()]
    return [float(row[key]) for row in sorted(rows, key=lambda row: row["seed"])]


def seeds(name: str) -> list[int]:
    return sorted(json.loads(line)["seed"] for line in (ROWS / f"{name}.jsonl").read_text().splitlines())


@pytest.mark.parametrize(("name", "success", "reward"), TABLE)
def test_a_line_of_the_table(name: str, success: str, reward: str) -> None:
    summary = summarise([scores(name, "success")], [scores(name, "average_reward")])
    assert success == f"{summary.successes}/{summary.episodes} = {summary.success.text()}"
    assert reward == summary.reward_mean.text(3)


def test_the_table_has_all_arms_and_equal_seeds() -> None:
    assert len(TABLE) == 12
    for part, count in (("report", 20), ("more", 50)):
        names = [name for name, _, _ in TABLE if f".{part}-" in name]
        assert len({tuple(seeds(name)) for name in names}) == 1
        assert len(seeds(names[0])) == count
    assert not set(seeds("imf-attnres-demo.report-agent")) & set(seeds("imf-attnres-demo.more-agent"))


@pytest.mark.parametrize(("part", "quoted"), [("report", "+0.05 [−0.11, +0.22]"), ("more", "−0.06 [−0.17, +0.05]")])
def test_the_differences_that_are_quoted(part: str, quoted: str) -> None:
    arms = [f"imf-{trunk}-demo.{part}-agent" for trunk in ("attnres", "resnet18")]
    pair = [value for arm in arms for value in (arm, [scores(arm, "success")])]
    difference = compare(*pair, "success").difference
    assert quoted in TEXT
    assert [float(n.replace("−", "-")) for n in re.findall(r"[+−]\d\.\d+", quoted)] == [
        round(limit, 2) for limit in (difference.value, difference.low, difference.high)
    ]
