"""The table of results/head-learning is what its rows say."""

import json
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from trunkzoo.statistics.intervals import student

FOLDER = Path(__file__).parents[2] / "results" / "head-learning"
TASKS = ("two-arm-handover", "two-arm-lift")
README = (FOLDER / "README.md").read_text()
SAID = " ".join(README.split())


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
    assert len(lines) == 8
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
    assert f"solves {won[0]}, {won[1]} and {won[2]} of 60: {sum(won)} of 180 = {sum(won) / 180:.2f}" in SAID
    assert f"**{sum(won)} of 180**" in (FOLDER.parents[1] / "RESULTS.md").read_text()


def test_what_keeps_imf_behind_l1() -> None:
    lift, handover = ({arm: fmean(errors) for arm, errors in _values(task).items()} for task in reversed(TASKS))
    behind = {arm: lift[arm] - lift["regression"] for arm in ("squares", "imf", "p0.5", "roots")}
    assert f"squares alone stay {behind['squares']:.4f} behind L1" in SAID
    assert f"(mean of three seeds; `imf` {behind['imf']:.4f})" in SAID
    assert f"the lead of L1 is {behind['p0.5']:.4f} with MeanFlow and {behind['roots']:.4f} without" in SAID
    assert f"MeanFlow is {lift['imf'] - lift['squares']:.4f} to {lift['p0.5'] - lift['roots']:.4f}," in SAID
    assert f"by {handover['regression'] - handover['imf']:.4f} in the mean" in SAID
    assert f"without MeanFlow it is {handover['imf'] - handover['squares']:.4f} better" in SAID


def _one(task: str, arm: str, evaluations: int = 1) -> list[float]:
    """The error of each seed at so many evaluations of the network, from one noise."""
    at: Any = _values(task, "at_evaluations")[arm]
    return [errors[str(evaluations)] for errors in at]


def _less(a: list[float], b: list[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def _interval(differences: list[float]) -> str:
    found = student(differences)
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def test_what_meanflow_is_worth_in_one_evaluation() -> None:
    lines = re.findall(
        r"^\| `(\w+)` − `imf`, (each seed|mean) \|([^|]*)\|([^|]*)\|$",
        README.split("| in one evaluation |")[1],
        re.MULTILINE,
    )
    assert [(arm, kind) for arm, kind, *_ in lines] == list(product(("flow", "ddim"), ("each seed", "mean")))
    above, highest = 0, []
    for arm, kind, *cells in lines:
        for task, cell in zip(TASKS, cells, strict=True):
            if arm not in _values(task):
                assert cell.strip() == ""
                continue
            found = _less(_one(task, arm), _one(task, "imf"))
            assert cell.strip() == (_interval(found) if kind == "mean" else ", ".join(f"{d:+.4f}" for d in found))
            if (arm, kind) == ("flow", "mean"):
                above += sum(d > 0 for d in found)
                highest.append(student(found))
    assert (above, all(of.low < 0 < of.high for of in highest)) == (6, True)
    plugin = " ".join((FOLDER.parents[1] / "plugins" / "trunkzoo_imf" / "README.md").read_text().split())
    assert (
        "errs {:.4f} (handover) and {:.4f} (lift) more than `imf/imf`".format(*(of.value for of in highest)) in plugin
    )
    assert "it errs more than `imf` with each of six trainings" in SAID
    assert f"at most {max(of.high for of in highest):.4f} by these intervals" in SAID
    last = _one(TASKS[0], "flow")[2] - _one(f"{TASKS[0]}-rollouts", "imf")[2]
    assert f"is of two machines; within one it is {last:+.4f}.)" in SAID
    ten = [student(_less(_values(task)["flow"], _values(task)["imf"])) for task in TASKS]
    assert f"(both tasks' intervals within {max(abs(x) for of in ten for x in (of.low, of.high)):.4f})" in SAID
    drift = [student(_less(_values(task)["drift"], _values(task)["imf"])).high for task in TASKS]
    assert f"(its intervals reach {max(drift):.4f})" in SAID


def _range(ratios: Iterable[float]) -> str:
    found = list(ratios)
    return f"{min(found):.2g} to {max(found):.2g}"


def test_what_a_step_costs() -> None:
    """Handover's first two rows of flow are of the machine of imf's own, the rest of that of imf's second trainings."""
    flow, drift, imf, squares = [], [], [], []
    for task in TASKS:
        first, second = _values(task, "cpu"), _values(f"{task}-rollouts", "cpu")["imf"]
        early = 2 if task == "two-arm-handover" else 0
        flow += [a / b for a, b in zip(first["flow"], first["imf"][:early] + second[early:], strict=True)]
        drift += [a / b for a, b in zip(first["drift"], second, strict=True)]
        imf += [a / b for a, b in zip(first["imf"], first["regression"], strict=True)]
        squares += [a / b for a, b in zip(first["squares"], first["regression"], strict=True)]
    assert f"A training step of `flow` takes {_range(flow)} of the CPU time of `imf`" in SAID
    plugin = (FOLDER.parents[1] / "plugins" / "trunkzoo_imf" / "README.md").read_text()
    assert f"for a step that costs {1 / max(flow):.1f} to {1 / min(flow):.1f} times as much" in plugin
    assert f"{min(drift):.1f} to {max(drift):.1f} times (both of a pair on one machine" in SAID
    assert f"a step takes {min(imf):.1f} to {max(imf):.1f} times the CPU time of L1's" in SAID
    assert f"one of `squares` {min(squares):.1f} to {max(squares):.1f} times" in SAID


def test_more_evaluations_of_imf() -> None:
    moved = [abs(d) for task in TASKS for n in (2, 10) for d in _less(_one(task, "imf", n), _one(task, "imf"))]
    assert f"the error is another by at most {max(moved):.4f};" in SAID
    longer = _less(_one("two-arm-lift-budget", "imf", 10), _one("two-arm-lift-budget", "imf"))
    assert min(longer) > 0
    assert f"by up to {max(longer):.4f}. Rollouts" in SAID


def test_the_same_trainings_made_again() -> None:
    again = {task: _values(f"{task}-rollouts") for task in TASKS}
    handover, lift = (_interval(_less(errors["imf"], errors["regression"])) for errors in again.values())
    assert f"`imf` − `regression` {handover} on handover, {lift} on lift." in SAID
    other = [
        max(abs(d) for d in _less(errors[arm], _values(task)[arm]))
        for task, errors in again.items()
        for arm in ("regression", "imf")
    ]
    l1, imf, l1_lift, imf_lift = (f"{most:.4f}" for most in other)
    assert f"at most {l1} (L1) and {imf} (`imf`) on handover, {l1_lift} and {imf_lift} on lift" in SAID


def test_how_much_chunks_hang_on_the_noise() -> None:
    def ratio(task: str, arm: str) -> float:
        spreads = _values(task, "spread")
        wide = "wide" if arm == "imf" else f"{arm}-wide"
        return fmean(spreads[wide]) / fmean(spreads[arm])

    low, high = sorted(ratio(task, "imf") for task in TASKS)
    assert f"its chunks hang {low:.1f} to {high:.1f} times as much on the noise" in SAID
    flow, ddim = (ratio("two-arm-lift", arm) for arm in ("flow", "ddim"))
    assert f"their chunks hang {flow:.1f} and {ddim:.1f} times as much on it" in SAID
    lift = _values("two-arm-lift")
    (before,) = lift["imf-before"]
    assert f"it errs {before - lift['wide'][0]:.4f} more than `wide` does with that seed" in SAID


def test_what_twice_the_rate_does() -> None:
    rows = [json.loads(line) for line in (FOLDER / "two-arm-lift-settings.jsonl").read_text().splitlines()]
    faster = {
        arm: [r["error"] for r in rows if r["arm"] == arm and r.get("set") == ["train.lr=2e-3"]]
        for arm in ("imf", "regression")
    }
    gains = {arm: _less(_values("two-arm-lift")[arm], errors) for arm, errors in faster.items()}
    assert f"by {fmean(gains['imf']):.4f} and {fmean(gains['regression']):.4f}, but not L1 of seed 2" in SAID
    assert [gain > 0 for gain in gains["imf"] + gains["regression"]] == [True] * 5 + [False]
