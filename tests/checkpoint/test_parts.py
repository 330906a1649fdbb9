"""A checkpoint whose plugin is gone or has another version says what to install, to `zoo eval` as to Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reach_task import install, reach, untrained
from tiny import TinyConfig, TinyTrunk, TrainTiny
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent
from trunkzoo.checkpoint.parts import CheckpointWarning
from trunkzoo.errors import CheckpointError
from trunkzoo.plugin import Config, TrunkSpec
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(monkeypatch)
    return untrained(tmp_path)


def test_an_evaluation_says_which_package_is_missing(agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "reach,imf")
    catalogue = open_zoo().catalogue
    with pytest.raises(CheckpointError, match=r"needs trunk 'resnet/resnet-18' of trunkzoo .*pip install 'trunkzoo=="):
        plan(catalogue, "agent", agent)
    assert plan(catalogue, "expert", agent).job.policy == "expert"  # which needs no more of it than its task


def test_an_evaluation_warns_of_another_version(agent: Path) -> None:
    catalogue = open_zoo().catalogue
    rows = tuple(replace(row, version="9.9") if row.name == "resnet" else row for row in catalogue.plugins)
    with pytest.warns(CheckpointWarning, match=r"made with trunkzoo .*, installed is 9\.9"):
        plan(replace(catalogue, plugins=rows), "agent", agent)


def test_a_task_may_be_another_than_the_missing_one(agent: Path) -> None:
    assert plan(open_zoo().catalogue, "noop", agent, reach()).job.task.name == "reach/reach"


class Renamed(Config):
    """``width`` of TinyConfig by another name."""

    wide: int = 8


def test_a_setting_that_a_version_renamed_is_told_with_both_versions(
    tiny_run: TrainTiny, tiny_catalogue: Catalogue
) -> None:
    result = tiny_run(steps=4)
    row = replace(tiny_catalogue.plugins[0], version="2.0")
    trunk = TrunkSpec(name="trunk", summary="", config=Renamed, build=lambda config: TinyTrunk(config.wide))
    newer = replace(tiny_catalogue, plugins=(row,), trunks={"tiny/trunk": trunk})
    assert TinyConfig().width == 8
    message = r"made with tiny-parts 1\.0, installed is 2\.0, and: trunk\.width: unknown key.*'tiny-parts==1\.0'"
    with pytest.raises(CheckpointError, match=message):
        load_agent(result.checkpoint, newer)
