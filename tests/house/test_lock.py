"""uv.lock is what constraints.txt says, from the public index, without what no task uses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "uv.lock").read_text(encoding="utf-8")
PACKAGES = tomllib.loads(LOCK)["package"]


def test_the_lock_has_the_tested_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line.split(";")[0] for line in lines if "python_version <" not in line]
    tested = dict(line.split("==") for line in lines if "==" in line)
    versions = {canonicalize_name(name): version for name, version in tested.items()}
    locked = {each["name"]: set[str]() for each in PACKAGES}  # where lerobot holds one lower, it is there twice
    for each in PACKAGES:
        locked[each["name"]] |= {each.get("version", "")}
    both = versions.keys() & locked.keys()
    assert len(both) > 80
    assert {name: locked[name] for name in both if versions[name] not in locked[name]} == {}
    assert not {"mink", "labmaze", "pynput", "qpsolvers"} & locked.keys()


def test_where_lerobot_is_not_asked_for_the_lock_has_the_tested_torch() -> None:
    tested = dict(
        re.findall(r"^(torch|numpy)==([\d.]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    (ours,) = (each for each in PACKAGES if each["name"] == "trunkzoo")
    for name, version in tested.items():
        lines = [each for each in ours["dependencies"] if each["name"] == name]
        other = [each for each in lines if each.get("version", version) != version]
        assert len(other) < len(lines)
        assert all("extra == 'extra-8-trunkzoo-lerobot'" in each["marker"] for each in other), other


def test_the_lock_was_made_after_the_last_change_of_dependencies() -> None:
    (ours,) = (each for each in PACKAGES if each["name"] == "trunkzoo")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    written = [*project["dependencies"], *(text for of in project["optional-dependencies"].values() for text in of)]
    names = {canonicalize_name(re.split(r"[^\w.-]", text, maxsplit=1)[0]) for text in written}
    assert {each["name"] for each in ours["metadata"]["requires-dist"]} == names, "run `make lock`"
    assert sorted(ours["metadata"]["provides-extras"]) == sorted(project["optional-dependencies"]), "run `make lock`"


def test_the_lock_points_at_the_public_index_alone() -> None:
    assert set(re.findall(r"https?://([^/\"]+)", LOCK)) == {"pypi.org", "files.pythonhosted.org"}
