"""Curves of runs: the page and the picture have the logged values, and what cannot be drawn is a line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trunkzoo.errors import UsageError
from trunkzoo.report.curves import curves_of, write_curves


def logged(run: Path, scale: float, steps: int = 5) -> Path:
    run.mkdir(parents=True)
    rows = [{"step": 2 * i, "loss": scale / i, "lr": 0.1, "seconds": 3.0} for i in range(1, steps + 1)]
    rows.append({"step": 2 * steps, "holdout_error": 0.5})
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_curves_are_the_logged_values_by_metric_and_run(tmp_path: Path) -> None:
    runs = [logged(tmp_path / "one", 1.0), logged(tmp_path / "two", 4.0)]
    curves = curves_of(runs)
    assert list(curves) == ["loss", "holdout_error", "lr"]
    assert curves["loss"]["two"] == [(2, 4.0), (4, 2.0), (6, 4 / 3), (8, 1.0), (10, 0.8)]
    same = [logged(tmp_path / "a" / "run", 1.0), logged(tmp_path / "b" / "run", 2.0)]
    assert list(curves_of(same, ["loss"])["loss"]) == ["a/run", "b/run"]


def test_a_page_has_a_line_for_each_run_in_every_chart(tmp_path: Path) -> None:
    runs = [logged(tmp_path / "one", 1.0), logged(tmp_path / "two", 4.0)]
    assert write_curves(runs, tmp_path / "curves.html", ["loss", "lr"]) == ["loss", "lr"]
    page = (tmp_path / "curves.html").read_text()
    assert len(re.findall(r"<svg", page)) == 2
    assert len(re.findall(r"<polyline|<path", page)) >= 4
    assert "one" in page
    assert "two" in page


def test_a_picture_is_drawn_in_the_colours_of_both_runs(tmp_path: Path) -> None:
    runs = [logged(tmp_path / "one", 1.0), logged(tmp_path / "two", 4.0)]
    write_curves(runs, tmp_path / "curves.png")
    pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).reshape(-1, 3)
    for colour in ((31, 119, 180), (255, 127, 14)):  # the first two of matplotlib
        assert (pixels == colour).all(1).sum() > 50


@pytest.mark.parametrize(
    ("file", "metrics", "message"),
    [("c.pdf", [], r"\.html or \.png"), ("c.png", ["nothing"], "no run logged nothing; logged are loss")],
)
def test_what_cannot_be_drawn_is_refused(file: str, metrics: list[str], message: str, tmp_path: Path) -> None:
    run = logged(tmp_path / "one", 1.0)
    with pytest.raises(UsageError, match=message):
        write_curves([run], tmp_path / file, metrics)
    with pytest.raises(UsageError, match="has no metrics"):
        write_curves([tmp_path], tmp_path / "c.png")
    with pytest.raises(UsageError, match="given twice"):
        write_curves([run, run], tmp_path / "c.png")
