"""The table of results/depth-ablation, and what RESULTS.md says of it, are what the rows say."""

import json
import re
from pathlib import Path
from typing import Any

from results_page import held_out, rows
from trunkzoo.registry import open_zoo
from trunkzoo.suites.planning import load_suite

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "results" / "depth-ablation"
LIFT = "results/depth-lift/robosuite/two-arm-lift"
ROWS = [json.loads(line) for line in (FOLDER / "two-arm-lift.jsonl").read_text().splitlines()]


def found(arm: str, weights: str) -> dict[str, Any]:
    (row,) = [row for row in ROWS if (row["arm"], row["weights"]) == (arm, weights)]
    return row


def test_every_line_of_the_table() -> None:
    controls = {arm.label: arm.control for arm in load_suite(open_zoo().registry, "depth-lift").arms}
    text = (FOLDER / "README.md").read_text()
    said = re.findall(r"^\| `(.+?)` \| (\d\.\d.+) \|$", text, re.MULTILINE)
    assert {arm for arm, _ in said} == {row["arm"] for row in ROWS}
    for arm, cells in said:
        learned, mean, uniform = (found(arm, weights) for weights in ("learned", "mean", "uniform"))
        (control,) = held_out(LIFT, controls[arm])
        errors = f"{learned['error']:.4f} | {mean['error']:.4f} | {uniform['error']:.4f} | {control:.4f}"
        assert cells == f"{learned['depth_entropy']:.2f} | {errors}"


def test_what_is_lost_and_what_fixed_weights_give_back() -> None:
    errors = [[found(arm, w)["error"] for w in ("learned", "mean", "uniform")] for arm in {row["arm"] for row in ROWS}]
    rises = [100 * (uniform / learned - 1) for learned, _, uniform in errors]
    back = [100 * (uniform - mean) / (uniform - learned) for learned, mean, uniform in errors]
    page, results = (" ".join(file.read_text().split()) for file in (FOLDER / "README.md", ROOT / "RESULTS.md"))
    for text in (page, results):
        assert f"by {min(rises):.0f} to {max(rises):.0f} %" in text
        assert f"{min(back):.0f} to {max(back):.0f} % of the rise" in text


def test_the_agents_are_those_of_the_suite_and_their_weights_became_uniform() -> None:
    for row in ROWS:
        if row["weights"] == "uniform":
            assert abs(row["depth_entropy"] - 1) < 1e-6
        elif row["weights"] == "learned":
            published = held_out(LIFT, row["arm"])[row["seed"]]
            assert row["error"] == published


def test_what_is_solved_with_other_weights() -> None:
    played = [json.loads(line) for line in (FOLDER / "two-arm-lift-rollouts.jsonl").read_text().splitlines()]
    assert all(row["error"] == found(row["arm"], row["weights"])["error"] and row["episodes"] == 60 for row in played)
    (mean,), (uniform,) = ([len(r["solved"]) for r in played if r["weights"] == w] for w in ("mean", "uniform"))
    trained = sum(episode["success"] for episode in rows(LIFT, "conv-18", "report")[0])
    assert f"| `conv-18` | {trained}/60 | {mean}/60 | {uniform}/60 |" in (FOLDER / "README.md").read_text()
    said = " ".join((ROOT / "RESULTS.md").read_text().split())
    assert said.count(f"solves {uniform} of 60 scenes for {trained}") == 2
    assert f"{mean} scenes are solved" in said
    assert f"`conv-18` solves {mean}:" in said


def test_what_the_answer_says() -> None:
    learned, uniform = (found("conv-18", weights) for weights in ("learned", "uniform"))
    said = " ".join((ROOT / "RESULTS.md").read_text().split())
    assert f"depth weights of `conv-18` is {learned['depth_entropy']:.2f} of its maximum" in said
    assert f"rises from {learned['error']:.3f} to {uniform['error']:.3f}" in said
