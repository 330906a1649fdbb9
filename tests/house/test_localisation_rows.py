"""The table of results/localisation is what its rows say."""

import json
import re
from pathlib import Path
from typing import Any

from scipy import stats

from trunkzoo.statistics.intervals import student

RESULTS = Path(__file__).parents[2] / "results"
FOLDER = RESULTS / "localisation"
PHASE1 = RESULTS / "phase1-lift" / "robosuite" / "two-arm-lift"


def _last(row: dict[str, Any]) -> list[float]:
    errors: dict[str, list[float]] = row["errors"]
    return errors[max(errors, key=int)]


def _rows(task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{task}.jsonl").read_text().splitlines()]


def test_every_line_of_the_table() -> None:
    rows = [row for row in _rows("two-arm-handover") if row["trunk"] in ("resnet-18", "conv-18")]
    lines = re.findall(r"^\| (\d+) \| ([^|]+) \|(.+)\|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    said = {(int(scenes), settings): [cell.strip() for cell in cells.split("|")] for scenes, settings, cells in lines}
    found = {}
    for scenes, settings in said:
        mine = [r for r in rows if r["scenes"] == scenes and (" ".join(r["set"]) or "as the recipes") == settings]
        trunks = [[_last(row) for row in mine if row["trunk"] == trunk] for trunk in ("resnet-18", "conv-18")]
        found[scenes, settings] = [", ".join(f"{e[k]:.1f}" for e in errors) for errors in trunks for k in (0, 1)]
    assert said == found
    assert sum(len(cells[k].split(", ")) for cells in said.values() for k in (0, 2) if cells[k]) == len(rows)


def test_what_trained_agents_see_beside_what_they_solve() -> None:
    rows = [json.loads(line) for line in (FOLDER / "agents-two-arm-lift.jsonl").read_text().splitlines()]
    text = (FOLDER / "README.md").read_text()
    said = re.findall(r"^\| `(predict-[\w-]+)` \| ([\d., ]+) \| ([\d, ]+) \|$", text, re.MULTILINE)
    assert len(said) == 3
    errors, won = [], []
    for arm, millimetres, solved in said:
        mine = sorted((row for row in rows if row["arm"] == arm), key=lambda row: int(row["seed"]))
        played = [json.loads(line) for line in (PHASE1 / f"{arm}.jsonl").read_text().splitlines()]
        played = [row for row in played if row["part"] == "report"]
        scores = [sum(p["success"] for p in played if p["training_seed"] == row["seed"]) for row in mine]
        assert millimetres == ", ".join(f"{10 * row['place_error']:.1f}" for row in mine)
        assert solved == ", ".join(map(str, scores))
        errors += [row["place_error"] for row in mine]
        won += scores
    found = stats.pearsonr(errors, won)
    low, high = found.confidence_interval()
    assert f"scenes solved: {found.statistic:+.2f} [{low:+.2f}, {high:+.2f}] over the fifteen" in text


def test_every_trunk_on_both_tasks() -> None:
    text = (FOLDER / "README.md").read_text().partition("## Every trunk")[2]
    said = re.findall(r"^\| `([\w-]+)` \|" + r"([\d., ]+)\|" * 4 + "$", text, re.MULTILINE)
    assert [trunk for trunk, *_ in said] == ["resnet-18", "conv-18", "conv-deep", "tokens"]
    for trunk, *cells in said:
        found = []
        for task in ("two-arm-handover", "two-arm-lift"):
            mine = [row for row in _rows(task) if row["trunk"] == trunk and row["scenes"] == 100 and not row["set"]]
            mine.sort(key=lambda row: int(row["seed"]))
            found += [", ".join(f"{_last(row)[k]:.1f}" for row in mine) for k in (0, 1)]
        assert [cell.strip() for cell in cells] == found


def test_sharper_keypoints_place_the_pot_better() -> None:
    text = (FOLDER / "README.md").read_text()
    rows = {(r["trunk"], r["seed"], " ".join(r["set"])): _last(r) for r in _rows("two-arm-lift") if r["scenes"] == 100}
    gain = "encoder.keypoint_gain=10"
    for trunk, *cells in re.findall(rf"^\| `([\w-]+)`, {gain} \| \| \|([^|]+)\|([^|]+)\|$", text, re.MULTILINE):
        found = [", ".join(f"{rows[trunk, seed, gain][k]:.1f}" for seed in range(3)) for k in (0, 1)]
        assert [cell.strip() for cell in cells] == found
    better = [rows[trunk, seed, ""][0] - own[0] for (trunk, seed, settings), own in rows.items() if settings == gain]
    mean = student(better)
    assert len(better) == 6
    assert min(better) > 0
    assert f"placed better by {mean.value:.2f} cm [{mean.low:.2f}, {mean.high:.2f}]" in text
