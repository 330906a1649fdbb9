"""Errors of core speak of settings; the command line adds the options that set them."""

import pickle
from pathlib import Path

import pytest

from trunkzoo.errors import ContractError, UsageError
from trunkzoo.registry import parse_assignments
from trunkzoo_cli.app import main
from trunkzoo_cli.output import options_for


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that must fail says on stderr."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_a_message_ends_with_the_options_of_its_settings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    said = run(capsys, "train", "imf-resnet18-demo", "--data", str(tmp_path), "-o", str(tmp_path / "run"))
    assert said.endswith("already exists; resume it, or choose another directory (--resume -o)\n")


def test_a_task_that_is_missing_is_asked_for_by_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "eval", "--policy", "noop").endswith("name one (`zoo list` shows them) (--task)\n")


def test_an_override_is_called_by_the_option_that_set_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "zoo: --set train.step: unknown key" in run(capsys, "show", "imf-resnet18-demo", "--set", "train.step=1")
    assert "zoo: --set nothing: no '='" in run(capsys, "show", "imf-resnet18-demo", "--set", "nothing")
    assert "zoo: --set trunk: 'trunk' is a table" in run(capsys, "build", "imf-resnet18-demo", "--set", "trunk=a")


def test_in_python_the_same_mistakes_name_no_option() -> None:
    with pytest.raises(UsageError, match=r"^assignment nothing: no '='") as caught:
        parse_assignments(["nothing"])
    assert "--" not in str(caught.value)


def test_proposed_values_stand_behind_their_option_quoted_for_a_shell() -> None:
    assert options_for({}) == ""
    assert options_for({"cameras": ["front=a b", "wrist=c"]}) == " (--camera 'front=a b' --camera wrist=c)"
    assert options_for({"train.lr": ()}) == " (--set train.lr=…)"


def test_an_error_keeps_its_settings_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ContractError("cameras differ", {"cameras": ["a=b"]})))
    assert (str(error), error.settings) == ("cameras differ", {"cameras": ["a=b"]})
