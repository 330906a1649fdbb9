"""Parts of another agent's checkpoint: what is named fits wholly or is refused, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.checkpoint.layout import AgentPart
from trunkzoo.checkpoint.save import save_model
from trunkzoo.checkpoint.transfer import transfer
from trunkzoo.errors import CheckpointError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve

PREFIXES: dict[AgentPart, str] = {
    "trunk": "encoder.trunks.",
    "cameras": "encoder.cameras.",
    "head": "head.",
    "normalizers": "action_normalizer.",
}


@pytest.fixture
def source(tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any], tmp_path: Path) -> Path:
    agent = assemble(resolve(tiny_recipe, tiny_catalogue), seed=0)
    wider = {key: {name: [2 * v for v in values] for name, values in each.items()} for key, each in tiny_stats.items()}
    agent.fit_normalizers(wider)
    save_model(tmp_path / "source.safetensors", agent)
    return tmp_path / "source.safetensors"


def other(recipe: Recipe, catalogue: Catalogue, stats: Mapping[str, Any]) -> Agent:
    agent = assemble(resolve(recipe, catalogue), seed=1)
    agent.fit_normalizers(stats)
    return agent


@pytest.mark.parametrize("taken", PREFIXES)
def test_one_part_is_taken_and_the_others_stay(
    taken: AgentPart, source: Path, tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any]
) -> None:
    agent = other(tiny_recipe, tiny_catalogue, tiny_stats)
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    lines = transfer(agent, source, [taken])
    there, after = load_file(source), agent.state_dict()
    assert any(line.startswith(f"{taken}: ") and line.endswith("taken") for line in lines)
    assert sum("fresh" in line for line in lines) == 3
    for part, prefix in PREFIXES.items():
        names = [name for name in after if name.startswith(prefix)]
        expected = there if part == taken else before
        assert names
        assert all(torch.equal(after[name], expected[name]) for name in names)
        assert any(not torch.equal(there[name], before[name]) for name in names)


def test_cameras_are_matched_by_name(
    source: Path, tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any]
) -> None:
    turned = tiny_recipe.contract.model_copy(update={"cameras": tiny_recipe.contract.cameras[::-1]})
    agent = other(tiny_recipe.model_copy(update={"contract": turned}), tiny_catalogue, tiny_stats)
    transfer(agent, source, ["trunk", "cameras"])
    there, here = load_file(source), agent.state_dict()
    for name in ("trunks.{}.entry.weight", "cameras.{}.project.weight"):
        key = f"encoder.{name}"
        assert torch.equal(here[key.format(0)], there[key.format(1)])
        assert torch.equal(here[key.format(1)], there[key.format(0)])


def test_a_shared_trunk_starts_every_camera(
    tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any], tmp_path: Path
) -> None:
    shared = tiny_recipe.model_copy(update={"encoder": tiny_recipe.encoder.model_copy(update={"share_trunk": True})})
    one = assemble(resolve(shared, tiny_catalogue), seed=0)
    one.fit_normalizers(tiny_stats)
    save_model(tmp_path / "one.safetensors", one)
    agent = other(tiny_recipe, tiny_catalogue, tiny_stats)
    transfer(agent, tmp_path / "one.safetensors", ["trunk"])
    for trunk in agent.encoder.trunks:
        assert torch.equal(trunk.get_parameter("exit.weight"), one.encoder.trunks[0].get_parameter("exit.weight"))
    with pytest.raises(CheckpointError, match="one for all"):
        transfer(one, save(agent, tmp_path / "two.safetensors"), ["trunk"])


def save(agent: Agent, file: Path) -> Path:
    save_model(file, agent)
    return file


@pytest.mark.parametrize(
    ("change", "parts", "message"),
    [
        (
            {"head": Part(name="head", config={"width": 16})},
            ["head"],
            r"head does not fit: head\.query is \(8,\) there",
        ),
        ({"trunk": Part(name="trunk", config={"width": 4})}, ["trunk"], r"\(8,\) there, \(4,\) here"),
        ({"trunk": Part(name="trunk", config={"width": 4})}, ["cameras"], "cameras does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(
    change: dict[str, Any],
    parts: list[AgentPart],
    message: str,
    source: Path,
    tiny_recipe: Recipe,
    tiny_catalogue: Catalogue,
    tiny_stats: Mapping[str, Any],
) -> None:
    agent = other(tiny_recipe.model_copy(update=change), tiny_catalogue, tiny_stats)
    with pytest.raises(CheckpointError, match=message):
        transfer(agent, source, parts)


def test_a_camera_that_the_source_lacks_is_named(
    source: Path, tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any]
) -> None:
    renamed = tiny_recipe.contract.model_copy(update={"cameras": ("front", "gripper")})
    agent = other(tiny_recipe.model_copy(update={"contract": renamed}), tiny_catalogue, tiny_stats)
    with pytest.raises(CheckpointError, match="has the cameras front, wrist, and none is 'gripper'"):
        transfer(agent, source, ["cameras"])
