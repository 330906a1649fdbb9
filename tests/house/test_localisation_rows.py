"""The table of results/localisation is what its rows say."""

import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy import stats

from results_page import LEAD, held_out
from results_page import rows as published_rows
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
    table, *_ = (FOLDER / "README.md").read_text().split("\n## ")
    lines = re.findall(r"^\| (\d+) \| ([^|]+) \|(.+)\|$", table, re.MULTILINE)
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


def _by_option() -> dict[str, list[tuple[str, int, int, list[float]]]]:
    """Option, "" for none → trunk, seed, scenes, and errors of each training on handover."""
    found: dict[str, list[tuple[str, int, int, list[float]]]] = {}
    for row in _rows("two-arm-handover"):
        found.setdefault(" ".join(row["set"]), []).append((row["trunk"], row["seed"], row["scenes"], _last(row)))
    return found


def test_what_every_option_changes() -> None:
    """Paired by trunk and seed with the training of the recipes' settings."""
    text = " ".join((FOLDER / "README.md").read_text().split())
    options = _by_option()
    own = {(trunk, seed): errors for trunk, seed, scenes, errors in options.pop("") if scenes == 100}
    tried = {option: sorted(row[:2] for row in rows) for option, rows in options.items()}
    all_six = [(trunk, seed) for trunk in ("conv-18", "resnet-18") for seed in range(3)]
    assert [option for option, pairs in tried.items() if pairs != all_six] == ["trunk.output_stride=8"]
    assert tried["trunk.output_stride=8"] == [("resnet-18", 0)]
    assert all(set(row["set"]) <= {"encoder.keypoint_gain=10"} for row in _rows("two-arm-lift"))

    def change(option: str, unit: int) -> tuple[float, float, float]:
        found = student([errors[unit] - own[trunk, seed][unit] for trunk, seed, _, errors in options[option]])
        return found.value, found.low, found.high

    for option, words in (
        ("encoder.feature_norm=true", "changes nothing in the mean of the six trainings"),
        ("coordinates", "change nothing in the mean"),
    ):
        (place, low, high), (yaw, least, most) = (change(option, unit) for unit in (0, 1))
        changes = f"{place:+.2f} cm [{low:+.1f}, {high:+.1f}], {yaw:+.1f} degrees [{least:+.1f}, {most:+.1f}]"
        assert f"{words} ({changes})" in text
    for option, before, after in (
        ("encoder.shift=0", "(", "; mean"),
        ("encoder.keypoint_gain=10", "trainings, ", " paired by trunk and seed"),
        ("temperature=0.1", "throughout ", "; the yaw as before"),
    ):
        place, low, high = change(option, 0)
        assert f"{before}{place:+.1f} cm [{low:+.1f}, {high:+.1f}]{after}" in text
    crop = "encoder.shift=0 encoder.crop=[84,84]"
    assert "worse by {:.1f} cm [{:.1f}, {:.1f}]; in yaw no".format(*change(crop, 0)) in text
    assert change(crop, 1)[1] < 0 < change(crop, 1)[2]


def test_what_was_tried_once() -> None:
    text = " ".join((FOLDER / "README.md").read_text().split())
    rows = {
        (row["trunk"], row["scenes"], " ".join(row["set"])): row
        for row in _rows("two-arm-handover")
        if row["seed"] == 0
    }
    stride, own = rows["resnet-18", 100, "trunk.output_stride=8"], rows["resnet-18", 100, ""]
    place, yaw = _last(stride)
    assert f"{place:.1f}" == f"{_last(own)[0]:.1f}"
    assert f"({place:.1f} cm, {yaw:.1f} degrees for {_last(own)[1]:.1f})" in text
    assert f"for {stride['cpu_seconds'] / own['cpu_seconds']:.1f} times the CPU time" in text
    assert {row["seed"] for row in _rows("two-arm-handover") if row["scenes"] == 600} == {0}
    for trunk, words in (("resnet-18", "{:.1f} to {:.1f} cm and its yaw from {:.1f} to {:.1f} degrees"),
                         ("conv-18", "{:.1f} to {:.1f} cm and from {:.1f} to {:.1f} degrees")):  # fmt: skip
        (few, turn), (many, turned) = (_last(rows[trunk, scenes, ""]) for scenes in (100, 600))
        assert words.format(few, many, turn, turned) in text


def test_how_large_feature_maps_are_before_training() -> None:
    rows = [json.loads(line) for line in (FOLDER / "feature-scale.jsonl").read_text().splitlines()]
    text = (FOLDER / "README.md").read_text().partition("| random weights |")[2].partition("\n\n")[0]
    said = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    assert [trunk for trunk, *_ in said] == ["resnet-18", "conv-18", "conv-deep", "tokens"]
    for trunk, *cells in said:
        mine = [row for row in rows if row["trunk"] == trunk]
        assert len({(row["task"], row["seed"]) for row in mine}) == len(mine) == 6
        rms, deviation, peak = (fmean(row[key] for row in mine) for key in ("rms", "logit_deviation", "peak"))
        assert cells == [f"{rms:.2f}", f"{deviation:.2f}", f"{peak:.1f}"]


def test_what_a_pose_loss_is_worth() -> None:
    """The lines of its table, and the mean differences from the suite's own trainings with Student's interval."""
    text = (FOLDER / "README.md").read_text()
    played = [json.loads(line) for line in (FOLDER / "pose-loss-two-arm-lift.jsonl").read_text().splitlines()]
    published = published_rows(LEAD, "resnet-18", "report")
    solved, errors = [], []
    for row in played:
        seed = row["seed"]
        before, error = sum(episode["success"] for episode in published[seed]), held_out(LEAD, "resnet-18")[seed]
        solved.append((len(row["successes"]) - before) / row["episodes"])
        errors.append(row["holdout_error"] - error)
        cells = f"{before}/60 | {len(row['successes'])}/60 | {error:.4f} | {row['holdout_error']:.4f} | {10 * row['place_error']:.1f}"
        assert f"| {seed} | {cells} |" in text
        assert (row["weight"], row["episodes"], row["steps"]) == (0.1, 60, 800)
    assert (
        f"{student(solved).text(2, signed=True)} in success, {student(errors).text(4, signed=True)} in held-out error"
        in text
    )
