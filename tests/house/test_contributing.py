"""CONTRIBUTING, the changelog, the plugins' READMEs and the commit hooks name what is there."""

import re
from pathlib import Path

import pytest

from trunkzoo.catalogue.part import RecordKind
from trunkzoo.testing import checks_for

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/__init__.py"))
SITE = ROOT / "docs" / "site"
NUMBERS = {"ten": 10, "eleven": 11, "fifteen": 15, "twenty": 20}


def test_every_file_that_contributing_names_exists() -> None:
    named = re.findall(r"`([\w./]+\.(?:py|toml|md))`", CONTRIBUTING) + re.findall(r"\]\(([\w./-]+)\)", CONTRIBUTING)
    assert len(named) >= 25
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


def test_a_way_in_has_at_most_six_steps() -> None:
    ways = re.split(r"^\*\*", CONTRIBUTING.partition("## I want to add")[2].partition("\n## ")[0], flags=re.MULTILINE)[
        1:
    ]
    assert len(ways) >= 7
    assert all(1 <= len(re.findall(r"^\d\. ", way, re.MULTILINE)) <= 6 for way in ways)


@pytest.mark.parametrize("kind", ["trunk", "head", "task", "policy"])
def test_a_guide_states_the_number_of_checks(kind: RecordKind) -> None:
    page = (ROOT / "docs" / f"write-a-{kind}-plugin.md").read_text(encoding="utf-8")
    found = re.findall(r"(\w+) checks\b", page)
    assert [NUMBERS[word] for word in found if word in NUMBERS] == [len(checks_for(kind))]


def test_commit_hooks_are_the_linters_of_make_lint() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert recipe
    assert hooks == [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_says_what_it_ships(plugin: Path) -> None:
    page = (plugin / "README.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {plugin.name}: ")
    assert [name for name in re.findall(r"`(tests/[\w/]+)`", page) if not (ROOT / name).exists()] == []


def test_the_readme_names_every_room_and_plugin_and_stays_short() -> None:
    rooms = [path.parent.name for path in (ROOT / "core" / "trunkzoo").glob("*/__init__.py")]
    missing = [room for room in rooms if f"`{room}`" not in README]
    missing += [path.name for path in PLUGINS if path.name.removeprefix("trunkzoo") not in README]
    assert missing == []
    assert len(README.splitlines()) <= 120


def test_every_link_of_the_pages_leads_to_a_file() -> None:
    written = {name for file in SITE.glob("*.py") for name in re.findall(r'"([\w/]+\.md)"', file.read_text("utf-8"))}
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(path / "README.md" for path in PLUGINS)]:
        targets = set(re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")))
        targets -= written if page.parent.name == "docs" else set()  # pages that the site's build writes
        assert [target for target in sorted(targets) if not (page.parent / target).exists()] == [], page
