"""`zoo suite publish` writes every episode once, and says whose it is."""

import json
from collections import Counter
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, reach, small
from trunkzoo.errors import ZooError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import Evaluation, plan, run
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.publish import publish


def finish(cell: Cell, files: dict[str, range]) -> None:
    """Give a cell the rows of random play, under these file names."""
    cell.prepare()
    random = plan(open_zoo().catalogue, "random", task=reach())
    run([Evaluation(random, seeds, cell.directory / f"{name}.jsonl") for name, seeds in files.items()], workers=1)
    write_json(cell.directory / "done.json", {})


def test_every_episode_is_published_with_its_arm_seed_and_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    suite = small(tmp_path, text=REGISTRY.replace("steps = 4", "steps = 4\ntraining_seeds = [3, 8]"))
    task, out = suite.tasks[0], tmp_path / "published"
    for cell in (cell for arm in task.arms for cell in arm.evaluations):
        finish(
            cell, {"selection-2": range(2), "selection-4": range(2), "report-agent": range(4), "report-blind": range(3)}
        )
    with pytest.raises(ZooError, match="floor noop-reach' has no result yet"):
        publish(suite, out)
    for name, cell in task.floors.items():
        finish(cell, {f"report-{name}": range(4)})
    files = publish(suite, out)
    assert files == publish(suite, out)  # again, in place
    names = ["reach-resnet", "reach-wide", "noop", "random", "expert"]
    assert [file.relative_to(out).as_posix() for file in files] == [f"reach/reach/{name}.jsonl" for name in names]
    rows = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert {row["arm"] for row in rows} == {"reach-wide"}
    counts = Counter((row["training_seed"], row["part"]) for row in rows)
    assert counts == {(seed, part): n for seed in (3, 8) for part, n in (("selection", 4), ("report", 4), ("blind", 3))}
    original = json.loads((task.arms[1].evaluations[1].directory / "report-agent.jsonl").read_text().splitlines()[2])
    assert {"arm": "reach-wide", "training_seed": 8, "part": "report", **original} in rows
    floor = [json.loads(line) for line in files[2].read_text().splitlines()]
    assert [(row["training_seed"], row["part"], row["seed"]) for row in floor] == [
        (None, "report", s) for s in range(4)
    ]
