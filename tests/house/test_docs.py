"""The documentation is executed: its files are written, its commands run, its tables compared with the code."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from trunkzoo.catalogue.discovery import Status
from trunkzoo.plugin import HeadSpec, TaskSpec, TrunkSpec
from trunkzoo.plugin import hooks as hookspecs
from zoo_process import pip_install, zoo

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """(language, file, text) of every fenced block."""
    return [(kind, file, text) for kind, file, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


def execute(command: str, work: Path, site: Path) -> None:
    """Run one ``$`` line; ``pip install -e`` goes to a folder of its own instead of this environment."""
    words = shlex.split(command)
    if words[:3] == ["pip", "install", "-e"]:
        pip_install(work / words[3], site)
        return
    assert words[0] == "zoo", command
    done = zoo(*words[1:], path=site, cwd=work)
    assert done.code == 0, f"{command}\n{done.out}\n{done.err}"


@pytest.mark.slow
def test_the_plugin_page_leads_from_nothing_to_a_trained_agent(tmp_path: Path) -> None:
    work, site = tmp_path / "work", tmp_path / "site"
    work.mkdir()
    for kind, file, text in blocks("write-a-trunk-plugin.md"):
        if file:
            (work / file).write_text(text, encoding="utf-8")
        elif kind == "console":
            for line in text.splitlines():
                execute(line.removeprefix("$ "), work, site)


def test_every_block_of_the_plugin_page_is_a_file_or_commands() -> None:
    found = blocks("write-a-trunk-plugin.md")
    assert len(found) >= 8
    assert all(file or kind == "console" for kind, file, _ in found)


@pytest.mark.parametrize("record", [TrunkSpec, HeadSpec, TaskSpec])
def test_every_field_of_a_record_is_documented(record: type) -> None:
    section = (DOCS / "plugin-api.md").read_text(encoding="utf-8").partition(f"**{record.__name__}**: `")[2]
    listed = re.split(r",\s+", section.partition("`")[0])
    assert sorted(listed) == sorted(field.name for field in fields(record))


def test_every_hook_and_status_is_documented() -> None:
    page = (DOCS / "plugin-api.md").read_text(encoding="utf-8")
    hooks = [name for name in dir(hookspecs) if name.startswith("trunkzoo_")]
    assert all(f"`{hook}()`" in page for hook in hooks)
    assert all(f"| {status} |" in page for status in get_args(Status))
