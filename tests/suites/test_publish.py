"""`zoo suite publish` writes every episode once, and says whose it is."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, reach, small
from trunkzoo.api import evaluate
from trunkzoo.errors import DataError, UsageError, ZooError
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.engine import Failure, Tick
from trunkzoo.suites.publish import publish
from trunkzoo.suites.published import adopt, published_keys
from trunkzoo.suites.run import run_suite
from trunkzoo.suites.status import status_of


def finish(cell: Cell, files: dict[str, range]) -> None:
    """Give a cell the rows of random play, under these file names."""
    cell.prepare()
    for name, seeds in files.items():
        evaluate(policy="random", task=reach(), seeds=seeds, file=cell.directory / f"{name}.jsonl")
    for path in cell.directory.glob("selection-*.jsonl"):
        rows = [json.loads(line) | {"step": int(path.stem[10:])} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_json(cell.directory / "done.json", {})


class Recorder:
    """An engine that only notes what it is asked to run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """Run nothing."""
        self.ran += [cell.title for cell in cells]
        return []


def test_another_machine_goes_on_from_published_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two training seeds was published: its cells are done elsewhere, the others are what is left to run."""
    install(monkeypatch)
    text = REGISTRY.replace("steps = 4", "steps = 4\ntraining_seeds = [3, 8]")
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    suite, other = small(tmp_path / "here", text=text), small(tmp_path / "there", text=text)
    (task,) = suite.tasks
    for arm in task.arms:
        finish(arm.smoke, {})
        finish(arm.trains[0], {})
        names = {"selection-2": range(2), "selection-4": range(2), "report-agent": range(4), "report-blind": range(4)}
        finish(arm.evaluations[0], names)
    for name, cell in task.floors.items():
        finish(cell, {f"report-{name}": range(4)})
    publish(suite, tmp_path / "published", partial=True)
    rows = status_of(other, published_keys(other, tmp_path / "published"))
    states = {row["cell"]: row["state"] for row in rows if row["cell"].startswith(("train reach-resnet", "collect"))}
    assert states == {
        "collect reach-2-from-3030000": "not needed",
        "collect reach-2-from-3080000": "to do",
        "train reach-resnet-reach-seed3": "published",
        "train reach-resnet-reach-seed8": "to do",
    }
    assert adopt(other, tmp_path / "published") == 2 + 3
    assert adopt(other, tmp_path / "published") == 0
    for mine, theirs in zip(task.arms, other.tasks[0].arms, strict=True):
        files = sorted(mine.evaluations[0].directory.glob("*.jsonl"))
        assert len(files) == 4
        for path in files:
            assert (theirs.evaluations[0].directory / path.name).read_text() == path.read_text()
    engine = Recorder()
    run_suite(other, engine, lambda line: None)
    assert sorted({title.rpartition("-")[2] for title in engine.ran if "seed" in title}) == ["seed8"]
    collected = [title for title in engine.ran if title.startswith("collect")]
    assert len(collected) == 1  # the set of seed 8 alone


def test_rows_without_an_index_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with pytest.raises(UsageError, match=r"no cells.json in .*only rows that `zoo suite publish` wrote"):
        adopt(small(tmp_path), tmp_path)


def test_rows_that_the_index_names_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    suite = small(tmp_path)
    cell = suite.tasks[0].floors["noop"]
    (tmp_path / "cells.json").write_text(json.dumps({cell.key: {"cell": cell.title, "result": {}}}))
    (tmp_path / "reach" / "reach").mkdir(parents=True)
    (tmp_path / "reach" / "reach" / "noop.jsonl").write_text("")
    with pytest.raises(DataError, match="has no rows of training seed None"):
        adopt(suite, tmp_path)


DAMAGED = ['{"a": 1}', '{"a": {"result": []}}', '{"a": {"result": {}, "arm": "../b"}}']


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, "9" * 5000, *DAMAGED])
def test_a_damaged_index_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    install(monkeypatch)
    (tmp_path / "cells.json").write_text(text)
    with pytest.raises(DataError, match="publish again"):
        adopt(small(tmp_path), tmp_path)


@pytest.mark.parametrize(
    "own",
    [{"part": "selection", "step": "../../../x"}, {"part": "selection"}, {"part": "../x"}, {}, {"training_seed": "0"}],
)
def test_rows_name_no_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: dict[str, str]) -> None:
    install(monkeypatch)
    suite = small(tmp_path)
    arm, seed = suite.tasks[0].arms[0], suite.config.training_seeds[0]
    keys = (arm.trains[0].key, arm.evaluations[0].key)
    (tmp_path / "cells.json").write_text(json.dumps({key: {"result": {}} for key in keys}))
    (tmp_path / "reach" / "reach").mkdir(parents=True)
    (tmp_path / "reach" / "reach" / f"{arm.label}.jsonl").write_text(
        json.dumps({"seed": 1, "training_seed": seed, **own}) + "\n"
    )
    with pytest.raises(DataError, match="none that `zoo suite publish` wrote"):
        adopt(suite, tmp_path)
    assert not list(tmp_path.rglob("x.jsonl"))


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
    assert [path.stem for path in publish(suite, tmp_path / "partial", partial=True)] == ["reach-resnet", "reach-wide"]
    for name, cell in task.floors.items():
        finish(cell, {f"report-{name}": range(4)})
    for cell in (cell for arm in task.arms for cell in (arm.smoke, *arm.trains)):
        finish(cell, {})
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
