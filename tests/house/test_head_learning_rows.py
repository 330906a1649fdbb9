"""The table of results/head-learning is what its rows say."""

import json
import re
from pathlib import Path
from statistics import fmean

FOLDER = Path(__file__).parents[2] / "results" / "head-learning"
TASKS = ("two-arm-handover", "two-arm-lift")
README = (FOLDER / "README.md").read_text()


def _errors(task: str) -> dict[str, list[float]]:
    """Arm → held-out error of every seed, in the order of the seeds."""
    rows = [json.loads(line) for line in (FOLDER / f"{task}.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: row["seed"])
    arms = dict.fromkeys(row["arm"] for row in rows)
    return {arm: [row["error"] for row in rows if row["arm"] == arm] for arm in arms}


def test_every_line_of_the_table() -> None:
    lines = re.findall(r"^\| `([^`]+)` \| [^|]+ \|([^|]*)\|([^|]*)\|$", README, re.MULTILINE)
    said = {(arm, task): cell.strip() for arm, *cells in lines for task, cell in zip(TASKS, cells, strict=True)}
    found = {
        (arm, task): ", ".join(f"{error:.4f}" for error in errors)
        for task in TASKS
        for arm, errors in _errors(task).items()
    }
    assert {key: cell for key, cell in said.items() if cell} == found


def test_what_keeps_imf_behind_l1() -> None:
    lift, handover = ({arm: fmean(errors) for arm, errors in _errors(task).items()} for task in reversed(TASKS))
    said = " ".join(README.split())
    behind = {arm: lift[arm] - lift["regression"] for arm in ("squares", "imf", "p0.5", "roots")}
    assert f"squares alone stay {behind['squares']:.4f} behind L1" in said
    assert f"(mean of three seeds; `imf` {behind['imf']:.4f})" in said
    assert f"the lead of L1 is {behind['p0.5']:.4f} with MeanFlow and {behind['roots']:.4f} without" in said
    assert f"MeanFlow is {lift['imf'] - lift['squares']:.4f} to {lift['p0.5'] - lift['roots']:.4f}," in said
    assert f"by {handover['regression'] - handover['imf']:.4f} in the mean" in said
    assert f"without MeanFlow it is {handover['imf'] - handover['squares']:.4f} better" in said
