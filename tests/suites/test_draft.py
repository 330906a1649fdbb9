"""A suite that a command writes can be run, and nothing is written that cannot."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from trunkzoo.errors import UsageError
from trunkzoo.registry import open_zoo
from trunkzoo.suites.draft import add_suite, parse_arms, suite_table
from trunkzoo.suites.planning import plan_suite
from trunkzoo_cli.app import main

VALUES = {
    "arms": ["tour-resnet", {"name": "deep", "recipe": "tour-resnet", "trunk": "attnres/attnres-conv-deep"}],
    "tasks": [{"name": "reach/detour", "demonstrations": 3}],
    "training_seeds": [0, 1],
    "steps": 20,
    "batch_size": 4,
    "checkpoints": 2,
}


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


def test_a_table_is_toml_and_says_what_it_was_made_of() -> None:
    values = {**VALUES, "summary": 'with "quotes", a \\ and a … sign'}
    assert tomllib.loads(suite_table("my suite", values)) == {"suites": {"my suite": values}}


def test_what_was_written_is_planned_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("format = 1\n\n# a remark that stays\n")
    plan = add_suite(file, "mine", VALUES, open_zoo(file))
    again = plan_suite("mine", open_zoo(file), plan.directory)
    assert [arm.label for arm in again.config.arms] == ["tour-resnet", "deep"]
    assert [[cell.key for cell in cells] for cells in again.stages().values()] == [
        [cell.key for cell in cells] for cells in plan.stages().values()
    ]
    assert "# a remark that stays" in file.read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": 7}, "do not divide"),
        ({"arms": ["tour-resnet", "nobody"]}, "nobody"),
        ({"tasks": [{"name": "reach/nowhere", "demonstrations": 3}]}, "nowhere"),
    ],
)
def test_a_suite_that_cannot_run_leaves_the_file_as_it_was(
    change: dict[str, object], told: str, tmp_path: Path
) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("format = 1\n")
    with pytest.raises(UsageError, match=told):
        add_suite(file, "mine", {**VALUES, **change}, open_zoo(file))
    assert file.read_text() == "format = 1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["registry.toml"]


def test_arms_are_read_as_they_are_typed() -> None:
    assert parse_arms(["one", "b=two", "c=two+net"]) == [
        "one",
        {"name": "b", "recipe": "two"},
        {"name": "c", "recipe": "two", "trunk": "net"},
    ]
    for wrong in ("", "=two", "b=", "b=two+"):
        with pytest.raises(UsageError, match="write RECIPE"):
            parse_arms([wrong])


def test_the_command_writes_a_registry_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arms = ["--arm", "tour-resnet", "--arm", "tour-attnres"]
    assert zoo("suite", "new", "mine", *arms, "--trainings", "2", "-n", "5") == 0
    assert "zoo suite run mine" in capsys.readouterr().out
    config = plan_suite("mine", open_zoo(), tmp_path / "runs").config
    assert (config.training_seeds, config.steps, config.tasks[0].demonstrations) == ((0, 1), 400, 5)
    assert zoo("suite", "new", "far", *arms, "-n", "5", "-o", "of mine.toml") == 0
    assert "zoo --registry 'of mine.toml' suite run far" in capsys.readouterr().out
    before = (tmp_path / "registry.toml").read_text()
    assert zoo("suite", "new", "mine", *arms) == 2
    assert "there is a suite 'mine' already" in capsys.readouterr().err
    assert zoo("suite", "new", "two", "--arm", "tour-resnet") == 2
    assert "a comparison takes two" in capsys.readouterr().err
    assert (tmp_path / "registry.toml").read_text() == before
