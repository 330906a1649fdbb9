"""Rows are read as JSON reads them, though the provenance that lines share is parsed once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trunkzoo.errors import DataError
from trunkzoo.rollouts.job import EpisodeResult
from trunkzoo.rollouts.rows import make_row, read_rows


@pytest.mark.parametrize(
    "rows",
    [
        [
            make_row(EpisodeResult(s, s > 1, None, s / 7, s, 1.0, 9), {"policy": "noop", "versions": {"a": "1"}})
            for s in range(3)
        ],
        [{"seed": 1, "steps": 4}, {"seed": 2, "steps": 5, "policy": "noop"}, {"seed": 3}],
        [{"seed": 1, "task_config": {"steps": 5, "x": 1}, "policy": "noop"}, {"seed": 2, "t": {"steps": 5, "b": 2}}],
        [
            {"seed": 1, "steps": [1, 2], "b": 3},
            {"seed": 2, "steps": "a, b", "b": 3},
            {"seed": 3, "steps": {"x": 1, "y": 2}},
        ],
        [{"seed": 1, "rule": 'has "steps": 4, in words', "steps": 3, "b": "}"}],
    ],
)
def test_rows_are_those_that_json_reads(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = read_rows(file)
    assert found == rows
    assert list(map(list, found)) == list(map(list, rows))  # keys in their order


@pytest.mark.parametrize(
    "line", ['{"seed": 1, "steps": 4, "b": NaN}', '{"seed": 1, "steps": 4, 5}', '{"seed": 1e999, "steps": 4, "b": 1}']
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"seed": 0, "steps": 4, "b": 1}}\n{line}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:2 is no result row"):
        read_rows(file)


def test_a_later_key_counts_as_in_json(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"seed": 1, "steps": 4, "seed": 2}\n')
    assert read_rows(file) == [{"seed": 2, "steps": 4}]
