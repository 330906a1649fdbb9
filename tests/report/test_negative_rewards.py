"""Rewards may be negative: figures show them, and a page that cannot be written takes no result with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reach_task import install, untrained
from trunkzoo.errors import ZooError
from trunkzoo.report.charts import IntervalBar, Point, interval_chart, paired, scatter, strip
from trunkzoo.report.svg import axis
from trunkzoo.statistics import Interval
from trunkzoo_cli.app import main
from trunkzoo_cli.output import write_page

LOW = Interval(-0.9, -1.1, -0.7)


@pytest.mark.parametrize("values", [[-3.0, -1.0], [-1.0], [0.0], [], [2.0, 5.0]])
def test_an_axis_has_room_for_every_value_and_ticks(values: list[float]) -> None:
    shown = axis("reward", values, low=0.0)
    assert shown.low <= min([0.0, *values])
    assert shown.high >= max(values, default=0.0)
    assert len(shown.ticks()) >= 2
    if min(values, default=0.0) >= 0:
        assert shown.low == 0


def test_every_figure_keeps_its_marks_inside_the_frame() -> None:
    pictures = [
        interval_chart([IntervalBar("mean", LOW, "s0")], "average reward", "Average reward"),
        strip([-0.9, -1.2, -0.1], [False, False, True]),
        scatter([Point("a", 1.0, LOW, "s0"), Point("b", 2.0, LOW, "s1")], "cost", "reward", "Cost"),
        paired([-0.9, -0.8], [-0.7, -0.9], ("a", "b"), ("s0", "s1"), "Pairs"),
    ]
    for picture in pictures:
        height = float(re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', picture)[0])
        rows = [float(row) for row in re.findall(r'cy="(-?[\d.]+)"', picture)]
        assert rows
        assert all(0 < row < height for row in rows)


def test_a_small_difference_shows_the_digits_that_it_needs() -> None:
    text = interval_chart(
        [IntervalBar("a", Interval(0.0012, -0.0034, 0.0058), "s0")], "difference", "D", difference=True
    )
    assert "+0.0012 [-0.0034, +0.0058]" in text


def test_a_page_that_fails_is_one_line_after_the_results(tmp_path: Path) -> None:
    def broken() -> None:
        raise ValueError("math domain error")

    with pytest.raises(
        ZooError, match=r"the results stand, but writing the report .* failed: ValueError: math"
    ) as told:
        write_page("the report", tmp_path / "page.html", broken)
    assert len(str(told.value).splitlines()) == 1


def test_eval_prints_its_table_before_a_page_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    agent = untrained(tmp_path)
    (tmp_path / "file").touch()
    page = str(tmp_path / "file" / "page.html")
    with pytest.raises(SystemExit) as left:
        main(["eval", str(agent), "-n", "1", "--floors", "0", "--workers", "1", "--report", page])
    shown = capsys.readouterr()
    assert left.value.code not in (0, None)
    assert "success = within 0.05 of the target" in shown.out
    assert "Traceback" not in shown.err
