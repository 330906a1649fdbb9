"""What a cell reads and what it wrote goes from disk to disk, whole, unchanged and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from reach_task import floor, install, small
from trunkzoo.errors import DataError
from trunkzoo.rollouts import read_rows
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.ray_cell import run_away
from trunkzoo.suites.travel import Parcel, inputs_of, outputs_of, pack, stamp


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{folder.name}/{name}")


def written(folder: Path) -> Mapping[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def travelled(cell: Cell, target: Path) -> set[str]:
    for path, without in inputs_of(cell):
        pack(cell.home, path, without).unpack(target)
    return set(written(target))


def a_training(tmp_path: Path) -> tuple[Cell, Cell, str, str]:
    """The cells of a training and its evaluation; demonstrations and two checkpoints are there."""
    arm = small(tmp_path).tasks[0].arms[0]
    train, collect = arm.trains[0], small(tmp_path).tasks[0].collects[0]
    for cell in (train, arm.evaluations[0], collect):
        cell.prepare()
    write(collect.directory, "data/meta/info.json", "data/data/chunk-000/file-000.parquet", "done.json", "log.txt")
    for step in ("step-000002", "step-000004"):
        files = ("model.safetensors", "training_state.safetensors", "manifest.json")
        write(train.directory, *(f"run/checkpoints/{step}/{name}" for name in files))
    write(train.directory, "run/run.json", "run/metrics.jsonl", "run/.lock", "log.txt")
    return train, arm.evaluations[0], train.directory.name, collect.directory.name


def test_a_training_takes_its_demonstrations_and_its_newest_checkpoint(tmp_path: Path) -> None:
    train, _, own, data = a_training(tmp_path)
    step = f"{own}/run/checkpoints/step-000004"
    assert travelled(train, tmp_path / "away") == {
        *(f"{own}/{name}" for name in ("cell.json", "log.txt", "run/run.json", "run/metrics.jsonl")),
        *(f"{step}/{name}" for name in ("model.safetensors", "training_state.safetensors", "manifest.json")),
        *(f"{data}/data/{name}" for name in ("meta/info.json", "data/chunk-000/file-000.parquet")),
    }


def test_an_evaluation_takes_the_agents_that_it_scores_without_their_training_state(tmp_path: Path) -> None:
    _, evaluation, train, _ = a_training(tmp_path)
    steps = [f"{train}/run/checkpoints/{step}" for step in ("step-000002", "step-000004")]
    files = ("model.safetensors", "manifest.json")
    expected = {f"{step}/{name}" for step in steps for name in files}
    assert travelled(evaluation, tmp_path / "away") == {f"{evaluation.directory.name}/cell.json", *expected}


def test_rows_of_a_training_arrive_before_its_checkpoints_and_the_mark_does_not(tmp_path: Path) -> None:
    train, *_ = a_training(tmp_path)
    write(train.directory, "done.json", "run/checkpoints/.step-000006.partial-ab/model.safetensors")
    names = [path.name for path in outputs_of(train)]
    assert names[-2:] == ["step-000002", "step-000004"]
    assert sorted(names[:-2]) == ["cell.json", "log.txt", "metrics.jsonl", "run.json"]


def test_a_change_is_seen(tmp_path: Path) -> None:
    write(tmp_path, "file")
    before = stamp(tmp_path)
    assert stamp(tmp_path) == before
    with (tmp_path / "file").open("a") as file:
        file.write("more")
    assert stamp(tmp_path) != before


def test_what_arrives_damaged_or_would_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    digest = hashlib.sha256(b"new").hexdigest()
    with pytest.raises(DataError, match="arrived damaged"):
        Parcel("cell", {"file": b"old"}, {"file": digest}).unpack(home)
    for path, name in (("cell", "../../out"), ("../out", ""), ("/tmp/out", "")):
        with pytest.raises(DataError, match="would lie outside"):
            Parcel(path, {name: b"new"}, {name: digest}).unpack(home)
    assert not home.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_cell_runs_on_another_disk_and_its_results_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    cell = floor(tmp_path / "here", "random")
    cell.prepare()
    parcels = [pack(cell.home, *each) for each in inputs_of(cell)]
    yielded = list(run_away(tmp_path / "there", cell.directory, parcels))
    arrived, words = [each for each in yielded if isinstance(each, Parcel)], yielded[-1]
    assert len(arrived) == len(yielded) - 1
    assert isinstance(words, str)
    assert words.startswith("exit code 0")
    assert str(tmp_path / "there") not in words
    assert cell.done() is None
    assert [each.path for each in arrived][-1].endswith("done.json")
    for parcel in arrived:
        parcel.unpack(cell.home)
    assert cell.done() is not None
    assert [row["seed"] for row in read_rows(cell.directory / "report-random.jsonl")] == [0, 1]
