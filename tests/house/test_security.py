"""SECURITY.md names tests and a corpus that exist, and the CLI has one way to print."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_holds_each_border_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/.]+)`", text)
    assert len(named) > 6
    assert not [name for name in named if not (ROOT / name).exists()]


def test_commands_print_through_the_one_border() -> None:
    commands = sorted((ROOT / "cli/trunkzoo_cli/commands").glob("*.py"))
    assert commands
    assert not [path.name for path in commands if re.search(r"(?<![\w.])print\(|sys\.std", path.read_text("utf-8"))]


OWN_WORDS = {  # what this very process, or a child of it, has just written
    "core/trunkzoo/catalogue/trial.py",
    "core/trunkzoo/rollouts/evaluation.py",
    "core/trunkzoo/rollouts/rows.py",
    "core/trunkzoo/testing/described.py",
    "core/trunkzoo/testing/policy_checks.py",
    "plugins/trunkzoo_lerobot/server.py",
}


def test_json_of_others_is_read_by_the_one_guard() -> None:
    code = [path for room in ("core", "cli", "plugins", "integrations") for path in (ROOT / room).rglob("*.py")]
    readers = {
        str(path.relative_to(ROOT))
        for path in code
        if re.search(r"\bjson(\.| import )loads?\b", path.read_text("utf-8"))
    }
    assert readers == OWN_WORDS
