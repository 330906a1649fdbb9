"""The documentation is executed: its files are written, its commands run, its tables compared with the code."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from trunkzoo import plugin
from trunkzoo.catalogue.discovery import Status
from trunkzoo.plugin import HeadSpec, PolicySpec, TaskSpec, TrunkSpec
from trunkzoo.plugin import hooks as hookspecs
from trunkzoo.registry import open_zoo
from trunkzoo_cli.group import app
from zoo_process import pip_install, zoo

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("write-a-*-plugin.md"))
TOUR = ("start", "suites", "reading-a-report", "act-on-a-robot")
"""Guides that follow each other in one folder."""
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
README_BLOCKS = {kind: text for kind, _, text in BLOCK.findall(README)}


def blocks(page: str) -> list[tuple[str, str, str]]:
    """(language, file, text) of every fenced block."""
    return [(kind, file, text) for kind, file, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


def execute(command: str, work: Path, site: Path) -> None:
    """Run one ``$`` line; ``pip install -e`` goes to a folder of its own instead of this environment."""
    words = shlex.split(command)
    if words[:3] == ["pip", "install", "-e"]:
        pip_install(work / words[3], site)
        return
    if words[0] in ("pytest", "python"):
        environment = os.environ | {"PYTHONPATH": str(site)}
        run = [sys.executable, *(["-m"] if words[0] == "pytest" else []), *words[words[0] == "python" :]]
        tested = subprocess.run(run, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert tested.returncode == 0, f"{command}\n{tested.stdout}\n{tested.stderr}"
        return
    assert words[0] == "zoo", command
    done = zoo(*words[1:], path=site, cwd=work)
    assert done.code == 0, f"{command}\n{done.out}\n{done.err}"


def follow(page: str, folder: Path) -> Path:
    """Do what a page says, in a new folder or where another page ended; returns where its files are."""
    work, site = folder / "work", folder / "site"
    work.mkdir(exist_ok=True)
    for kind, file, text in blocks(page):
        if file:
            (work / file).parent.mkdir(parents=True, exist_ok=True)
            (work / file).write_text(text, encoding="utf-8")
        elif kind == "console":
            for line in text.splitlines():
                execute(line.removeprefix("$ "), work, site)
    return work


def solved(rows: Path) -> int:
    return sum(json.loads(line)["success"] for line in rows.read_text(encoding="utf-8").splitlines())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_trunk_page_leads_from_nothing_to_a_comparison_with_resnet(tmp_path: Path) -> None:
    work = follow("write-a-trunk-plugin.md", tmp_path)
    assert (work / "runs/mine/checkpoints/step-000300/model.safetensors").is_file()


def test_the_trunk_page_shows_what_the_command_writes(tmp_path: Path) -> None:
    assert zoo("new-plugin", "mine", "trunkzoo-mine", cwd=tmp_path).code == 0
    shown = {file: text for kind, file, text in blocks("write-a-trunk-plugin.md") if kind == "python"}
    described = shown.pop("trunkzoo-mine/src/trunkzoo_mine/__init__.py")
    assert len(shown) == 3
    assert {file: (tmp_path / file).read_text(encoding="utf-8") for file in shown} == shown
    written = (tmp_path / "trunkzoo-mine/src/trunkzoo_mine/__init__.py").read_text(encoding="utf-8")
    assert described.startswith(written.partition("    summary =")[0])  # the same with one record more


@pytest.mark.slow
def test_the_head_page_leads_from_nothing_to_a_training(tmp_path: Path) -> None:
    work = follow("write-a-head-plugin.md", tmp_path)
    assert (work / "runs/mine/checkpoints/step-000003/model.safetensors").is_file()


@pytest.mark.slow
def test_the_task_page_leads_from_nothing_to_an_agent_that_beats_its_floors(tmp_path: Path) -> None:
    rows = follow("write-a-task-plugin.md", tmp_path) / "runs/push/checkpoints/step-000500"
    floors = [solved(rows / f"eval-{floor}.jsonl") for floor in ("blind", "noop", "random")]
    assert solved(rows / "eval-expert.jsonl") >= 19
    assert solved(rows / "eval-agent.jsonl") >= max(floors) + 3


@pytest.mark.slow
def test_the_policy_page_leads_from_demonstrations_to_a_policy_that_beats_its_floors(tmp_path: Path) -> None:
    work = follow("write-a-policy-plugin.md", tmp_path)
    rows = [json.loads(line) for line in (work / "eval-linear.jsonl").read_text(encoding="utf-8").splitlines()]
    blind = [json.loads(line) for line in (work / "eval-linear-blind.jsonl").read_text(encoding="utf-8").splitlines()]
    seeing, black = (sum(row["average_reward"] for row in played) / len(played) for played in (rows, blind))
    assert seeing > black + 0.2
    assert {row["policy_record"]["name"] for row in rows} == {"mine/linear"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tour_of_the_guides_compares_two_agents_and_acts(tmp_path: Path) -> None:
    for page in TOUR:
        work = follow(f"{page}.md", tmp_path)
    rows = work / "runs/resnet/checkpoints/step-000300"
    assert solved(rows / "eval-agent.jsonl") > solved(rows / "eval-blind.jsonl")
    assert list((work / "rows/reach/detour").glob("*.jsonl"))
    (work / "readme.py").write_text(README_BLOCKS["python"], encoding="utf-8")
    execute("python readme.py", work, tmp_path / "site")


@pytest.mark.slow
def test_the_page_on_own_data_leads_from_recordings_to_two_agents(tmp_path: Path) -> None:
    work = follow("your-own-data.md", tmp_path)
    for run in ("mine", "theirs"):
        lines = (work / "runs" / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert any(json.loads(line).get("holdout_error") is not None for line in lines)


@pytest.mark.parametrize("page", [*TOUR, "your-own-data"])
def test_every_block_of_a_guide_is_a_file_or_commands(page: str) -> None:
    found = blocks(f"{page}.md")
    assert any(kind == "console" for kind, _, _ in found)
    assert all(file or kind == "console" for kind, file, _ in found)
    lines = [line for kind, _, text in found if kind == "console" for line in text.splitlines()]
    assert [line for line in lines if not re.match(r"\$ (zoo|python|pytest) ", line)] == []


def test_every_command_of_the_readme_is_one_that_runs() -> None:
    """Those of the console are executed with the guides; those of make are what CI and these tests run."""
    run = {
        line
        for page in TOUR
        for kind, _, text in blocks(f"{page}.md")
        if kind == "console"
        for line in text.splitlines()
    }
    shown = README_BLOCKS["console"].splitlines()
    assert len(shown) >= 4
    assert sorted(set(shown) - run) == []
    makefile = (DOCS.parent / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", README_BLOCKS["bash"], re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert "suite run phase2-demo" in makefile


@pytest.mark.parametrize("page", ["../README.md", *sorted(path.name for path in DOCS.glob("*.md"))])
def test_every_command_in_a_sentence_has_the_options_that_it_names(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for line in [*re.findall(r"`zoo ([^`]+)`", text), *re.findall(r"^(?:\$ |    )zoo (.+)$", text, re.MULTILINE)]:
        command, words = get_command(app), shlex.split(line, comments=True)
        while isinstance(command, TyperGroup) and words:
            inner = command.get_command(Context(command), words.pop(0))
            assert inner is not None, line
            command = inner
        if words:  # more than the name of a command
            command.make_context(line, words).close()


def test_the_questions_are_answered_by_code_that_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "questions.md").read_text(encoding="utf-8"), re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", code + "print(tuple(features.shape))"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "(2, 512, 3, 3)\n"


def test_what_the_readme_names_of_other_libraries_is_there() -> None:
    zoo = open_zoo()
    named = re.findall(r"--trunk ([\w/-]+)", README)
    assert len(named) == 2
    assert all(zoo.catalogue.trunk(name) for name in named)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_is_a_file_or_commands(page: str) -> None:
    found = blocks(page)
    assert len(found) >= 8
    assert all(file or kind == "console" for kind, file, _ in found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_imports_from_the_one_door(page: str) -> None:
    """The packages on the pages use ``trunkzoo.plugin``, and their tests ``trunkzoo.testing``."""
    code = "\n".join(text for kind, _, text in blocks(page) if kind == "python")
    rooms = set(re.findall(r"^\s*(?:from|import) (trunkzoo(?:\.\w+)*)(?=\s)", code, re.MULTILINE))
    assert rooms == {"trunkzoo.plugin", "trunkzoo.testing"}


def test_every_name_of_the_door_is_documented_and_no_other() -> None:
    page = (DOCS / "plugin-api.md").read_text(encoding="utf-8")
    named = re.findall(r"`trunkzoo\.plugin\.(\w+)`", page)
    assert sorted(set(named)) == sorted(plugin.__all__)


@pytest.mark.parametrize("record", [TrunkSpec, HeadSpec, TaskSpec, PolicySpec])
def test_every_field_of_a_record_is_documented(record: type) -> None:
    section = (DOCS / "plugin-api.md").read_text(encoding="utf-8").partition(f"**{record.__name__}**: `")[2]
    listed = re.split(r",\s+", section.partition("`")[0])
    assert sorted(listed) == sorted(field.name for field in fields(record))


def test_every_hook_and_status_is_documented() -> None:
    page = (DOCS / "plugin-api.md").read_text(encoding="utf-8")
    hooks = [name for name in dir(hookspecs) if name.startswith("trunkzoo_")]
    assert all(f"`{hook}()`" in page for hook in hooks)
    assert all(f"| {status} |" in page for status in get_args(Status))
