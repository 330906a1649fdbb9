"""The command line: help, exit codes, errors without tracebacks, JSON on stdout alone."""

import json
import tomllib
from pathlib import Path

import pytest

from trunkzoo_cli.group import COMMANDS
from zoo_process import zoo


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_teaches(command: str) -> None:
    done = zoo(command, "--help")
    assert done.code == 0
    assert len(done.out.split()) > 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["list", "--jsn"], "No such option: --jsn"),
        (["show", "resnet-81"], "Did you mean 'resnet-18'?"),
        (["show", "imf-resnet81"], "Did you mean"),
        (["show", "resnet-18", "--set", "norm=layer"], "norm = 'layer': must be 'batch' or 'group'"),
        (["show", "resnet-18", "--resolved"], "are for recipes"),
        (
            ["check", "two-arm-lft"],
            "no plugin, trunk, head, task or policy 'two-arm-lft'. Did you mean 'two-arm-lift'?",
        ),
        (["check", "resnet", "--set", "width=16"], "name one of them"),
        (["new-plugin", "resnet", "x"], "reserved for trunkzoo"),
        (["list", "--registry", "absent.toml"], "cannot read the registry absent.toml: no such file"),
        (["inspect", "."], "holds no checkpoint"),
        (["train", "tour-resnet", "--data", ".", "-o", "r", "--from-parts", "head"], "give it with --from RUN"),
        (["check", "nope"], "no plugin, trunk, head, task or policy 'nope'. `zoo list` shows all"),
    ],
)
def test_wrong_use_is_told_in_few_lines(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = zoo(*arguments, cwd=tmp_path)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) <= 3


def test_list_filters_by_kind_and_pattern() -> None:
    rows = json.loads(zoo("list", "resnet/*", "--kind", "trunk", "--json").out)
    assert [row["name"] for row in rows] == ["resnet/resnet-18", "resnet/resnet-34", "resnet/resnet-50"]


def test_a_list_of_trunks_has_figures_filters_and_an_order() -> None:
    rows = json.loads(zoo("list", "--kind", "trunk", "--sort", "parameters", "--json").out)
    known = [row["params"] for row in rows if row["params"] is not None]
    assert known == sorted(known)
    assert len(known) >= 7
    assert [row["params"] for row in rows][-1] is None  # what nobody vouches for comes last
    small = json.loads(zoo("list", "resnet/*", "--max-params", "21.3", "--pretrained", "--json").out)
    assert [row["name"] for row in small] == ["resnet/resnet-18", "resnet/resnet-34"]
    assert small[0]["macs_96"] == 333_103_104
    assert "11.2 M" in zoo("list", "resnet-18", "--kind", "trunk").out
    assert zoo("list", "--kind", "head", "--sort", "parameters").code == 2


def test_a_list_of_nothing_says_so() -> None:
    done = zoo("list", "resnet-81")
    assert (done.code, done.out) == (0, "")
    assert "nothing matches 'resnet-81'. Did you mean 'resnet-18'?" in done.err


def test_a_hint_stands_once() -> None:
    done = zoo("show", "suites.phase2")
    assert done.err.count("Did you mean") <= 1


def test_a_setting_is_shown_as_it_is_typed() -> None:
    assert "[2, 2, 2, 2]" in zoo("show", "attnres-conv-18").out


def test_a_broken_registry_of_the_user_leaves_the_list_usable(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text("format = 1\n[recipes\n")
    done = zoo("list", cwd=tmp_path)
    assert done.code == 0
    assert "resnet/resnet-18" in done.out
    assert "registry left out: registry.toml:2" in done.err


def test_the_registry_option_works_behind_the_command(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('format = 1\n[recipes.mine]\nextends = "imf-resnet18"\nsummary = "mine"\n')
    done = zoo("list", "--kind", "recipe", "--json", "--registry", str(tmp_path / "mine.toml"))
    assert "mine" in [row["name"] for row in json.loads(done.out)]


def test_show_gives_settings_and_counted_facts() -> None:
    facts = json.loads(zoo("show", "resnet-18", "--set", "width=16", "--json").out)
    assert (facts["counted"]["channels"], facts["counted"]["map_96"]) == (128, [128, 3, 3])
    width = next(setting for setting in facts["settings"] if setting["key"] == "width")
    assert (width["type"], width["default"]) == ("int > 0", 16)


def test_doctor_finds_nothing_wrong_with_what_is_installed() -> None:
    done = zoo("doctor", "--json")
    assert [finding for finding in json.loads(done.out)["findings"] if not finding["ok"]] == []


def test_check_names_a_record_that_is_called_as_the_plugin() -> None:
    assert "`zoo check metaworld/reach`" in zoo("check", "reach", "--quick").err


def test_check_counts_and_passes() -> None:
    report = json.loads(zoo("check", "resnet/resnet-18", "--set", "width=16", "--quick", "--json").out)
    assert report["ok"]
    assert report["counts"] == {"passed": 18, "failed": 0, "gap": 0, "skipped": 0}


@pytest.mark.parametrize("command", [["collect"], ["train"], ["eval"], ["inspect"], ["suite", "run"]])
def test_help_shows_the_defaults_that_are_written_in_words(command: list[str]) -> None:
    assert "(default: " in zoo(*command, "--help", COLUMNS="200").out  # in brackets they would be lost as markup


def test_a_new_plugin_with_a_dot_in_its_name_keeps_the_name(tmp_path: Path) -> None:
    assert zoo("new-plugin", "a-b.c", "pack", cwd=tmp_path).code == 0
    project = tomllib.loads((tmp_path / "pack" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["trunkzoo.v1"] == {"a-b.c": "trunkzoo_a_b_c"}
