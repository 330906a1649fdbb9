"""``zoo data check`` finds each fault and nothing else; ``zoo data info`` says what is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trunkzoo.data.check import check_dataset
from trunkzoo.data.lerobot.images import frames_at
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.summary import contact_sheet, dataset_facts, read_origin
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import DataError
from trunkzoo.plugin import TaskContract
from trunkzoo_cli.app import main

CONTRACT = TaskContract(cameras=("front", "wrist"), image_size=(24, 16), state_dim=3, action_dim=2)
DATA = "data/chunk-000/file-000.parquet"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_synthetic(tmp_path / "data", CONTRACT, (6, 9, 4), tasks=("a", "b"))
    return tmp_path / "data"


def faults(directory: Path) -> dict[str, tuple[str, ...]]:
    return {check.name: check.faults for check in check_dataset(directory) if check.faults}


def change(path: Path, column: str, row: int, value: Any) -> None:
    table = pq.read_table(path)
    rows = table[column].to_pylist()
    rows[row] = value
    at, kind = table.schema.get_field_index(column), table.schema.field(column)
    pq.write_table(table.set_column(at, kind, pa.array(rows, kind.type)), path)


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    return int(left.value.code or 0)


@pytest.mark.parametrize("video", [False, True])
def test_a_sound_dataset_has_no_faults(tmp_path: Path, video: bool) -> None:
    write_synthetic(tmp_path / "data", CONTRACT, (6, 9), video=video, data_file_mb=0.001, video_file_mb=0.001)
    assert faults(tmp_path / "data") == {}


def test_a_terminal_sees_how_many_images_are_checked(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert faults(data) == {}
    printed = capsys.readouterr().err
    assert "checking observation.images.front" in printed
    assert "19/19" in printed


@pytest.mark.parametrize(
    ("column", "row", "value", "check", "told"),
    [
        ("timestamp", 8, 0.4, "timestamps", "episode 1: frame 2 is at 0.4000 s, expected 0.1000 s"),
        ("frame_index", 7, 0, "rows and indices", "episode 1: frame_index does not count from 0"),
        ("index", 3, 0, "rows and indices", "column index does not count the rows"),
        ("task_index", 3, 7, "rows and indices", "task_index [7] has no task"),
        ("action", 16, [0.0, float("inf")], "shapes and finite numbers", "episode 2: action is not finite in 1 frames"),
    ],
)
def test_a_changed_number_is_one_fault(data: Path, column: str, row: int, value: Any, check: str, told: str) -> None:
    change(data / DATA, column, row, value)
    found = faults(data)
    assert list(found) == [check]
    assert told in found[check][0]


def test_an_image_that_is_said_to_be_numbers_is_a_fault(data: Path) -> None:
    path = data / "meta/info.json"
    info = json.loads(path.read_text())
    info["features"]["observation.images.front"] = {"dtype": "float32", "shape": [3], "names": None}
    info["features"]["observation.images.wrist"]["names"] = []
    path.write_text(json.dumps(info))
    assert "not numbers" in faults(data)["shapes and finite numbers"][0]


def test_a_damaged_origin_is_named(data: Path) -> None:
    (data / "meta/trunkzoo.json").write_text("{")
    with pytest.raises(DataError, match=r"trunkzoo\.json is damaged"):
        read_origin(data)


def test_rows_of_another_episode_are_found(data: Path) -> None:
    change(data / DATA, "episode_index", 5, 1)
    assert "are not the 19 rows that meta/episodes describes" in faults(data)["rows and indices"][0]


def test_an_image_of_another_size_is_found(data: Path) -> None:
    info = json.loads((data / "meta/info.json").read_text())
    info["features"]["observation.images.front"]["shape"] = [24, 17, 3]
    (data / "meta/info.json").write_text(json.dumps(info))
    assert "observation.images.front of row 0 is (24, 16) pixels" in faults(data)["images"][0]


@pytest.mark.parametrize(
    ("file", "column", "told"),
    [
        ("meta/tasks.parquet", "task", "needs task_index and a text"),
        ("meta/episodes/chunk-000/file-000.parquet", "dataset_from_index", "lacks the columns"),
        ("data/chunk-000/file-000.parquet", "observation.images.front", "cannot be read"),
    ],
)
def test_an_absent_column_is_a_message(data: Path, file: str, column: str, told: str) -> None:
    table = pq.read_table(data / file)
    pq.write_table(table.drop_columns([column]), data / file)
    assert any(told in fault for found in faults(data).values() for fault in found)


@pytest.mark.parametrize(
    ("file", "column", "told"),
    [
        ("meta/episodes/chunk-000/file-000.parquet", "dataset_to_index", "dataset_to_index = 'x', not a whole number"),
        ("data/chunk-000/file-000.parquet", "frame_index", "column frame_index holds string, not numbers"),
    ],
)
def test_a_column_of_another_type_is_a_message(data: Path, file: str, column: str, told: str) -> None:
    table = pq.read_table(data / file)
    text = pa.array(["x"] * table.num_rows)
    pq.write_table(table.set_column(table.column_names.index(column), column, text), data / file)
    assert any(told in fault for found in faults(data).values() for fault in found)


def test_wrong_totals_and_absent_statistics_are_found(data: Path) -> None:
    info = json.loads((data / "meta/info.json").read_text())
    (data / "meta/info.json").write_text(json.dumps({**info, "total_frames": 18}))
    (data / "meta/stats.json").unlink()
    assert set(faults(data)) == {"metadata", "statistics"}


def test_a_missing_video_is_found_beside_whole_ones(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data", CONTRACT, (6, 9, 4), video=True, video_file_mb=0)
    gone = tmp_path / "data/videos/observation.images.wrist/chunk-000/file-001.mp4"
    gone.unlink()
    found = faults(tmp_path / "data")
    assert found["files present"] == (f"{gone} is missing",)
    assert len(found["video frames = rows"]) == 1


def test_a_video_of_more_frames_than_rows_is_found(tmp_path: Path) -> None:
    for name, lengths in (("data", (6, 9, 4)), ("longer", (6, 9, 5))):
        write_synthetic(tmp_path / name, CONTRACT, lengths, video=True)
    name = "videos/observation.images.front/chunk-000/file-000.mp4"
    (tmp_path / "data" / name).write_bytes((tmp_path / "longer" / name).read_bytes())
    assert "has 20 frames for 19 rows" in faults(tmp_path / "data")["video frames = rows"][0]


def test_summary_counts_what_is_there(data: Path) -> None:
    facts = dataset_facts(LeRobotReader(data))
    assert (facts["episodes"], facts["frames"], facts["fps"], facts["tasks"]) == (3, 19, 20, ["a", "b"])
    assert facts["episode_lengths"] == {"min": 4, "median": 6.0, "max": 9}
    assert facts["statistics"]["action"]["count"] == [19]
    json.dumps(facts)


def test_the_contact_sheet_shows_first_frames(data: Path, tmp_path: Path) -> None:
    reader = LeRobotReader(data)
    contact_sheet(reader, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    (first,) = frames_at(reader, "observation.images.front", [reader.episodes[1].start])
    shown = sheet[156 + 12 : 312, :96]  # the second row of 6 × 24 + 12 pixels, the first column: enlarged sixfold
    assert np.array_equal(shown[::6, ::6], first)
    assert np.array_equal(shown[5::6, 5::6], first)


def test_the_commands_print_and_exit_as_promised(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo("data", "info", str(data), "--json", "--sheet", str(tmp_path / "sheet.png")) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 19
    assert zoo("data", "check", str(data)) == 0
    change(data / DATA, "timestamp", 8, 0.4)
    capsys.readouterr()
    assert zoo("data", "check", str(data), "--json") == 1
    assert [row["ok"] for row in json.loads(capsys.readouterr().out)].count(False) == 1
    assert zoo("data", "info", str(tmp_path / "nowhere")) == 2
    assert "no dataset at" in capsys.readouterr().err
    assert zoo("data", "info", "lerobot/pusht") == 2
    assert (
        "no dataset at lerobot/pusht; `zoo collect` records one, and hf:lerobot/pusht names" in capsys.readouterr().err
    )
    assert zoo("data", "info", str(data), "--sheet", str(tmp_path / "no/sheet.png")) == 2
    assert "name a .png file in a directory that exists" in capsys.readouterr().err
