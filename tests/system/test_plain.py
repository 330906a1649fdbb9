"""Values that a parser takes and that break its callers are refused where they come in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trunkzoo.errors import UsageError, install_command, printable, printable_lines
from trunkzoo.plain import DEEPEST, LARGEST, parse_json, parse_table
from trunkzoo.registry import parse_assignments
from trunkzoo.registry.toml_lines import read_toml
from trunkzoo.rollouts.seeds import parse_seeds
from trunkzoo.system.files import write_text
from trunkzoo.system.locks import acquire


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * (DEEPEST + 2) + "]" * (DEEPEST + 2),
        '{"a":' * 500 + "1" + "}" * 500,
        str(LARGEST + 1),
        "9" * 6000,
        "-" + "9" * 30,
        "1e999",
        "NaN",
        "-Infinity",
        '"\\ud800"',
        '{"\\udfff": 1}',
        "",
        "\x00",
        b"\xff\xfe\x00",
    ],
)
def test_json_beyond_the_limits_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its words
        parse_json(text)


def test_json_within_the_limits_is_itself() -> None:
    value = {"a": [1, -LARGEST, 0.5, None, True, "é\u202e"], "b": {"c": []}}
    assert parse_json('{"a": [1, -9223372036854775807, 0.5, null, true, "é\u202e"], "b": {"c": []}}') == value
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(ValueError, match="a list, not a table"):
        parse_table("[]")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 900, "a = " + "[" * 200 + "]" * 200, "a = " + "9" * 5000, f"a = {2**63}"]
)
def test_toml_beyond_the_limits_names_the_file(text: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.toml"):
        read_toml(text, "mine.toml")


def test_a_dotted_key_has_an_end() -> None:
    with pytest.raises(UsageError, match="no dotted key"):
        parse_assignments(["a" + ".a" * 1500 + "=1"])


@pytest.mark.parametrize(
    "value", ["9" * 400, "-" + "9" * 20, "[" * 100 + "]" * 100, "[9999999999999999999999]", "\udcff"]
)
def test_a_value_of_an_assignment_has_limits(value: str) -> None:
    with pytest.raises(UsageError, match=r"assignment train[.]steps: "):
        parse_assignments([f"train.steps={value}"])


@pytest.mark.parametrize("text", ["0:" + "9" * 5000, f"0:{10**18}", f"{2**63}:{2**63 + 2}", "²:9", "1:1", "5", ""])
def test_seeds_beyond_the_limits_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write A:B"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\r", r"a\nb\r"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
        ("3 × 64 = 192\u00a0m, é, 日本", "3 × 64 = 192\u00a0m, é, 日本"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_stay_lines_and_long_ones_end() -> None:
    assert printable_lines("a\n\x07") == "a\n\\x07"
    assert len(printable("x" * 3_000_000, 500)) < 600


@pytest.mark.parametrize("name", ["-r", "--index-url", "a b", "a;sh", "a'", "", "a\n", "é", "a$(x)", "a[b c]"])
def test_no_line_installs_what_is_no_package(name: str) -> None:
    assert "pip install" not in install_command(name, "1.0")
    assert install_command("trunkzoo-stripes", "1.2+cpu") == "pip install 'trunkzoo-stripes==1.2+cpu'"
    assert install_command("trunkzoo[timm]") == "pip install 'trunkzoo[timm]'"


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".page.html.tmp-" + str(os.getpid()), ".page.html.partial-" + str(os.getpid()), "page.html"):
        (tmp_path / name).symlink_to(victim)
    write_text(tmp_path / "page.html", "ours")
    assert (tmp_path / "page.html").read_text() == "ours"
    (tmp_path / ".lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        acquire(tmp_path / ".lock")
    assert victim.read_text() == "precious"
