"""The table of results/head-learning is what its rows say."""

import json
import re
from pathlib import Path
from statistics import fmean

from trunkzoo.statistics.intervals import student

FOLDER = Path(__file__).parents[2] / "results" / "head-learning"
TASKS = ("two-arm-handover", "two-arm-lift")
README = (FOLDER / "README.md").read_text()


def _values(task: str, key: str = "error") -> dict[str, list[float]]:
    """Arm → a number of every seed, in the order of the seeds; by default the held-out error."""
    rows = [json.loads(line) for line in (FOLDER / f"{task}.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: row["seed"])
    arms = dict.fromkeys(row["arm"] for row in rows)
    return {arm: [row[key] for row in rows if row["arm"] == arm] for arm in arms}


def test_every_line_of_the_table() -> None:
    lines = re.findall(r"^\| `([^`]+)` \| [^|]+ \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", README, re.MULTILINE)
    cells = [(arm, task) for arm, *_ in lines for task in TASKS for _ in range(2)]
    said = list(zip(cells, (cell.strip() for _, *of in lines for cell in of), strict=True))
    found = []
    for task in TASKS:
        spreads = _values(task, "spread")
        for arm, errors in _values(task).items():
            found += [((arm, task), ", ".join(f"{error:.4f}" for error in errors))]
            found += [((arm, task), f"{fmean(spreads[arm]):.3f}")]
    assert sorted((cell, text) for cell, text in said if text) == sorted(found)


def test_every_paired_difference() -> None:
    lines = re.findall(r"^\| `(\S+)` − `(\S+)` \|([^|]*)\|([^|]*)\|$", README, re.MULTILINE)
    assert len(lines) == 7
    for a, b, *cells in lines:
        for task, cell in zip(TASKS, cells, strict=True):
            errors = _values(task)
            if not {a, b} <= errors.keys():
                assert cell.strip() == ""
                continue
            found = student(
                [x - y for x, y in zip(errors[a], errors[b], strict=False)]
            )  # over the seeds that both have
            assert cell.strip() == f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def test_every_setting_tried_on_lift() -> None:
    rows = [json.loads(line) for line in (FOLDER / "two-arm-lift-settings.jsonl").read_text().splitlines()]
    own = {arm: _values("two-arm-lift")[arm] for arm in ("imf", "regression")}
    found = {"the recipe": own}
    for row in rows:
        setting = " ".join(row.get("set") or [f"head.cond_dropout={row['head']['cond_dropout']}"])
        found.setdefault(setting, {}).setdefault(row["arm"].removesuffix("-blind-draws"), []).append(row["error"])
    lines = README.split("| both heads with |")[1].partition("\n\n")[0].splitlines()[2:]
    said = {}
    for line in lines:
        setting, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        said[setting.partition(":")[0]] = cells
    assert said == {setting: _settled(errors) for setting, errors in found.items()}


def _settled(errors: dict[str, list[float]]) -> list[str]:
    """Both heads' errors as the table has them, and their paired difference."""
    cells = [", ".join(f"{error:.4f}" for error in errors.get(arm, [])) for arm in ("imf", "regression")]
    if "regression" not in errors:
        return [*cells, ""]
    found = student([a - b for a, b in zip(errors["imf"], errors["regression"], strict=True)])
    return [*cells, f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"]


def test_every_rollout() -> None:
    lines = re.findall(
        r"^\| (?:`(\w+)`|difference) \|([^|]+)\|([^|]+)\|$", README.split("| in rollouts |")[1], re.MULTILINE
    )
    said = {arm or "difference": tuple(cell.strip() for cell in cells) for arm, *cells in lines[:3]}
    found: dict[str, tuple[str, ...]] = {}
    of = [_values(f"{task}-rollouts", "successes") for task in TASKS]
    for arm in ("regression", "imf"):
        won = [successes[arm] for successes in of]
        found[arm] = tuple(f"{', '.join(f'{n:g}' for n in seeds)}: {sum(seeds):g} of 180" for seeds in won)
    pairs = [zip(successes["imf"], successes["regression"], strict=True) for successes in of]
    found["difference"] = tuple(student([(a - b) / 60 for a, b in pair]).text(signed=True) for pair in pairs)
    assert said == found


def test_what_eyes_could_add() -> None:
    (won,) = _values("two-arm-lift-budget", "successes").values()
    said = " ".join(README.split())
    assert f"solves {won[0]}, {won[1]} and {won[2]} of 60: {sum(won)} of 180 = {sum(won) / 180:.2f}" in said
    assert f"**{sum(won)} of 180**" in (FOLDER.parents[1] / "RESULTS.md").read_text()


def test_what_keeps_imf_behind_l1() -> None:
    lift, handover = ({arm: fmean(errors) for arm, errors in _values(task).items()} for task in reversed(TASKS))
    said = " ".join(README.split())
    behind = {arm: lift[arm] - lift["regression"] for arm in ("squares", "imf", "p0.5", "roots")}
    assert f"squares alone stay {behind['squares']:.4f} behind L1" in said
    assert f"(mean of three seeds; `imf` {behind['imf']:.4f})" in said
    assert f"the lead of L1 is {behind['p0.5']:.4f} with MeanFlow and {behind['roots']:.4f} without" in said
    assert f"MeanFlow is {lift['imf'] - lift['squares']:.4f} to {lift['p0.5'] - lift['roots']:.4f}," in said
    assert f"by {handover['regression'] - handover['imf']:.4f} in the mean" in said
    assert f"without MeanFlow it is {handover['imf'] - handover['squares']:.4f} better" in said
