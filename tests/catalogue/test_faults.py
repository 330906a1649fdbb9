"""The zoo of bad plugins, all installed at once: each is a row with its own reason, and the good ones go on working."""

import json
from pathlib import Path
from typing import Any

import pytest

from zoo_process import FIXTURES, GOOD, write_plugin, zoo

FAULTS = {  # distribution → status and a part of the reason
    "zoofix-absent": ("broken", "ModuleNotFoundError: No module named 'no_such_package'"),
    "zoofix-missing": ("broken", "No module named 'zoofix_missing'"),
    "zoofix-raises": ("broken", "RuntimeError: no GPU found"),
    "zoofix-exits": ("broken", "ended the process"),
    "zoofix-misspelt": ("broken", "hook 'trunkzoo_trunk' is unknown to plugin API 1. Did you mean 'trunkzoo_trunks'?"),
    "zoofix-undecorated": ("broken", "lacks the @hookimpl decorator"),
    "zoofix-wantsargs": ("broken", "trunkzoo_trunks(device: str)"),
    "zoofix-wrongtype": ("broken", "item 0 is dict; it must be a TrunkSpec"),
    "zoofix-norecord": ("broken", "its hooks returned no record"),
    "zoofix-endless": ("broken", "more than 10000 records"),
    "zoofix-doubled": ("broken", "describes 'tiny' twice"),
    "zoofix-plainconfig": ("broken", "config must be a subclass of trunkzoo.plugin.Config"),
    "zoofix-baddefault": ("broken", "default 'widht' is no setting of Settings. Did you mean 'width'?"),
    "zoofix-loud": ("broken", "use lower-case letters"),
    "zoofix-future": ("incompatible", "written for plugin API 2, this zoo speaks 1; upgrade trunkzoo"),
    "zoofix-past": ("incompatible", "written for plugin API 0, this zoo speaks 1; upgrade zoofix-past"),
    "zoofix-squatter": ("conflict", "'resnet' is reserved for trunkzoo"),
    "zoofix-twin-a": ("conflict", "zoofix-twin-a and zoofix-twin-b both claim the plugin name 'twin'"),
    "zoofix-twin-b": ("conflict", "zoofix-twin-a and zoofix-twin-b both claim the plugin name 'twin'"),
}
SEEN_BY_DOCTOR = {  # what only building shows, or only a process of one's own
    "heavy": "imports torch when it is only described",
    "heavytwo": "imports torch when it is only described",
    "badvalue/tiny": "width = 'wide': input should be a valid integer",
    "liar/tiny": "stride 8 should give (1, 8, 10, 7), but give (1, 8, 19, 14)",
    "quitter/tiny": "it ended the process (SystemExit: 9)",
}


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    run = zoo("plugins", "--json", path=FIXTURES)
    assert run.code == 0
    return {row["distribution"]: row for row in json.loads(run.out) if row["distribution"] != "trunkzoo"}


@pytest.fixture(scope="module")
def findings() -> dict[str, dict[str, Any]]:
    run = zoo("doctor", "--json", path=FIXTURES)
    assert run.code == 1
    return {finding["name"]: finding for finding in json.loads(run.out)["findings"]}


@pytest.mark.parametrize("distribution", FAULTS)
def test_each_bad_plugin_has_its_own_reason(rows: dict[str, dict[str, Any]], distribution: str) -> None:
    status, reason = FAULTS[distribution]
    row = rows[distribution]
    assert row["status"] == status
    assert reason in row["reason"]
    assert "\n" not in row["reason"]


def test_the_table_above_names_every_faulty_fixture(rows: dict[str, dict[str, Any]]) -> None:
    assert {name for name, row in rows.items() if row["status"] != "ok"} == set(FAULTS)


def test_plugins_that_must_not_be_imported_are_not(rows: dict[str, dict[str, Any]]) -> None:
    assert not [row["name"] for row in rows.values() if "was imported" in row["reason"]]


@pytest.mark.parametrize("name", SEEN_BY_DOCTOR)
def test_doctor_sees_what_listing_cannot(findings: dict[str, dict[str, Any]], name: str) -> None:
    assert not findings[name]["ok"]
    assert SEEN_BY_DOCTOR[name] in findings[name]["detail"]


def test_doctor_gives_a_mending_line_for_every_fault(findings: dict[str, dict[str, Any]]) -> None:
    wrong = [finding for finding in findings.values() if not finding["ok"]]
    assert all(finding["mend"] for finding in wrong)
    assert all(finding["ok"] for name, finding in findings.items() if name in ("good", "attnres", "imf", "chatty"))


def test_good_plugins_stay_listed_beside_the_bad_ones() -> None:
    run = zoo("list", "--json", path=FIXTURES)
    names = {row["name"] for row in json.loads(run.out)}  # chatty's print must not spoil the JSON
    assert run.code == 0
    assert {"good/tiny", "chatty/tiny", "resnet/resnet-18", "imf-resnet18"} <= names
    assert "not loaded: " in run.err
    assert "zoo doctor" in run.err


def test_good_plugins_stay_usable_beside_the_bad_ones() -> None:
    run = zoo("show", "good/tiny", "--json", path=FIXTURES)
    assert run.code == 0
    assert json.loads(run.out)["counted"]["channels"] == 8


def test_the_only_claim_of_a_distribution_listed_twice_counts_once(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        write_plugin(folder, "good", GOOD)
    run = zoo("plugins", "--json", PYTHONPATH=":".join(map(str, folders)))
    assert [row["status"] for row in json.loads(run.out) if row["name"] == "good"] == ["ok"]


def test_a_plugin_that_serves_two_api_versions_loads_for_ours(tmp_path: Path) -> None:
    write_plugin(tmp_path, "both", GOOD, "[trunkzoo.v1]\nboth = zoofix_both\n[trunkzoo.v2]\nboth = zoofix_future\n")
    rows = json.loads(zoo("plugins", "--json", path=tmp_path).out)
    assert [(row["api"], row["status"]) for row in rows if row["name"] == "both"] == [("1", "ok")]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E\n", "E"),
        ("raise KeyError\n", "KeyError"),
        ("import sys\nsys.modules[__name__] = None\n", "describes nothing"),
    ],
)
def test_any_module_level_fault_is_a_row(tmp_path: Path, code: str, reason: str) -> None:
    write_plugin(tmp_path, "odd", code)
    run = zoo("plugins", "--json", path=tmp_path)
    assert run.code == 0
    (row,) = [row for row in json.loads(run.out) if row["name"] == "odd"]
    assert row["status"] == "broken"
    assert reason in row["reason"]


@pytest.mark.parametrize("text", [b"[trunkzoo.v1]\nno equals sign\n", b"[trunkzoo.v1]\n\xff = x\n"])
def test_entry_points_that_cannot_be_parsed_are_a_row(tmp_path: Path, text: bytes) -> None:
    write_plugin(tmp_path, "garbled", GOOD)
    (tmp_path / "zoofix_garbled-1.0.dist-info" / "entry_points.txt").write_bytes(text)
    run = zoo("plugins", "--json", path=tmp_path)
    (row,) = [row for row in json.loads(run.out) if row["distribution"] == "zoofix-garbled"]
    assert (row["status"], "cannot be parsed" in row["reason"]) == ("broken", True)


def test_the_environment_limits_loading_before_any_import() -> None:
    run = zoo("plugins", "--json", path=FIXTURES, TRUNKZOO_PLUGINS="good")
    rows = {row["distribution"]: row["status"] for row in json.loads(run.out)}
    assert rows.pop("zoofix-good") == "ok"
    assert set(rows.values()) == {"disabled"}


def test_an_empty_limit_loads_no_plugin() -> None:
    run = zoo("list", "--kind", "trunk", "--json", TRUNKZOO_PLUGINS="")
    assert (run.code, json.loads(run.out)) == (0, [])


def test_a_limit_that_names_no_plugin_is_noted() -> None:
    assert "no plugin 'resnt' is installed. Did you mean 'resnet'?" in zoo("list", TRUNKZOO_PLUGINS="resnt").err


def test_strict_loading_raises_the_first_fault() -> None:
    run = zoo("list", path=FIXTURES, TRUNKZOO_STRICT="1", TRUNKZOO_PLUGINS="raises")
    assert run.code == 1
    assert "RuntimeError: no GPU found" in run.err


def test_a_disabled_plugin_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text('format = 1\n[plugins]\ndisabled = ["exits"]\n')
    run = zoo("plugins", "--json", path=FIXTURES, cwd=tmp_path)
    (row,) = [row for row in json.loads(run.out) if row["name"] == "exits"]
    assert (row["status"], "registry.toml" in row["reason"]) == ("disabled", True)
