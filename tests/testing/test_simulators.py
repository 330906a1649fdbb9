"""What `zoo doctor` says of simulator packages whose own requirements are not followed."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry import open_zoo
from trunkzoo.testing.simulators import INSTEAD, NEVER_USED, SIMULATORS, installed_version, numpy_held_back, unmet

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {name: [Requirement(text) for text in of] for name, of in PROJECT["optional-dependencies"].items()}
ALONE = ("robosuite", "gym-aloha", "dm_control")


def _install(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
    (folder / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python searches before all others."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.skipif(not all(map(installed_version, ALONE)), reason="needs the simulators")
def test_the_extra_has_all_that_is_used_of_what_the_packages_ask_for() -> None:
    given = {each.name.lower() for each in [*map(Requirement, PROJECT["dependencies"]), *EXTRAS["simulators"]]}
    given |= {asked for asked, ours in INSTEAD.items() if ours in given}
    asked = [Requirement(text) for name in ALONE for text in metadata.requires(name) or ()]
    plain = {each.name.lower() for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})}
    assert plain - given == {name for name in plain if name in NEVER_USED} | {"dm-control"}


def test_records_extras_and_constraints_name_the_same_versions() -> None:
    constraints = (Path(__file__).parents[2] / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tasks = [spec for _, _, spec in open_zoo().catalogue.everything() if isinstance(spec, TaskSpec)]
    pinned = {name: version for task in tasks for name, version in task.no_deps.items()}
    assert pinned.keys() == set(ALONE)
    assert {f"{name}=={version}" for name, version in pinned.items()} <= set(constraints)
    for extra, name in (("robosuite", "robosuite"), ("aloha", "gym-aloha")):
        assert f"{name}=={pinned[name]}" in map(str, EXTRAS[extra])


def test_what_is_absent_or_does_not_fit_is_found_and_what_nobody_uses_is_not(site: Path) -> None:
    _install(site, "scenes", "1.0", "numpy<1", "nosuchpackage>=2", "mink==0.0.5", "pydantic", "h5py<0; extra == 'more'")
    found = {str(requirement): here for requirement, here in unmet("scenes")}
    assert found == {"numpy<1": metadata.version("numpy"), "nosuchpackage>=2": None}


def test_installed_simulators_have_what_they_ask_for() -> None:
    assert [str(each) for name in filter(installed_version, SIMULATORS) for each, _ in unmet(name)] == []


def test_an_old_numpy_beside_mink_is_explained_with_the_line_that_mends_it(site: Path) -> None:
    _install(site, "mink", "0.0.5")
    _install(site, "numpy", "1.26.4")
    assert numpy_held_back().startswith("held below 2 by mink 0.0.5")
    assert "pip uninstall mink && pip install -U 'numpy>=2'" in numpy_held_back()


def test_numpy_2_beside_mink_is_fine(site: Path) -> None:
    _install(site, "mink", "0.0.5")
    _install(site, "numpy", "2.4.6")
    assert numpy_held_back() == ""
