"""Names in a page come from registries, plugins and checkpoints of anybody."""

from __future__ import annotations

import re
from pathlib import Path

from trunkzoo.report.page import Section, Table, TableRow, write_page

NAMES = ["<script>alert(1)</script>", "\x1b[31mred", "right\u202eto left", "\x9b2J", "half \ud800", "\x00"]


def _page(tmp_path: Path) -> str:
    table = Table(["name", *NAMES], [TableRow([name, *NAMES]) for name in NAMES])
    sections = [Section(title=name, texts=[name], note=name, answer=name, table=table) for name in NAMES]
    write_page(tmp_path / "page.html", NAMES[0], NAMES[2], sections)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_shows_every_sign_and_obeys_none(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert "<script" not in page
    assert all(line.isprintable() for line in page.split("\n"))
    assert r"right\u202eto left" in page
    assert r"\x1b[31mred" in page


def test_a_page_may_fetch_and_run_nothing(tmp_path: Path) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', _page(tmp_path))
    assert policy is not None
    allowed = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert allowed.pop("style-src") == "'unsafe-inline'"
    assert {key: value for key, value in allowed.items() if value != "'none'"} == {
        "img-src": "data:",
        "media-src": "data:",
    }
    assert allowed["default-src"] == "'none'"
