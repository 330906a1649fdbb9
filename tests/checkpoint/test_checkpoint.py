"""Checkpoints: what goes in comes out, and the file tells everything about itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble, build_trunk
from trunkzoo.agent.example import random_batch
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.checkpoint import load_agent, read_header, save_model
from trunkzoo.checkpoint.checksum import checksum
from trunkzoo.checkpoint.tensors import write_tensors
from trunkzoo.registry import open_zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve


def test_lone_file_acts_bit_equal(agent: Agent, saved: Path, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "renamed.safetensors"
    elsewhere.parent.mkdir()
    saved.rename(elsewhere)
    loaded = load_agent(elsewhere, tiny_catalogue)
    obs, noise = random_batch(agent.contract), torch.randn(2, 4, 2)
    assert torch.equal(loaded.predict(obs, noise), agent.predict(obs, noise))


def test_file_is_what_the_library_reads(agent: Agent, saved: Path) -> None:
    stored = load_file(saved)
    assert all(torch.equal(stored[name], tensor) for name, tensor in agent.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.float32])
def test_every_dtype_survives(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {"b": (torch.randn(3, 5) * 3).to(dtype), "a": torch.ones((), dtype=torch.uint8), "empty": torch.zeros(0)}
    write_tensors(tmp_path / "t", tensors, {})
    stored = load_file(tmp_path / "t")
    assert all(torch.equal(stored[name], tensors[name]) for name in tensors)


def test_equal_content_gives_equal_bytes(agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    for name in "ab":
        save_model(tmp_path / name, agent)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_header_tells_everything(saved: Path, tiny_recipe: Recipe) -> None:
    header = read_header(saved)
    assert (header.format, header.step, header.contract) == (1, 7, tiny_recipe.contract)
    assert [(use.kind, use.id, use.distribution, use.version) for use in header.plugins] == [
        ("trunk", "tiny/trunk", "tiny-parts", "1.0"),
        ("head", "tiny/head", "tiny-parts", "1.0"),
    ]
    assert header.recipe["trunk"]["config"] == {"width": 8}
    assert torch.__version__.startswith(header.versions["torch"])  # some builds add +cu130 to what pip knows


def test_header_needs_no_torch(saved: Path) -> None:
    code = f"""import sys
from trunkzoo.checkpoint import read_header
read_header({str(saved)!r})
assert not {{"torch", "numpy", "safetensors"}} & sys.modules.keys()"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_file_that_the_trunk_started_from_may_be_gone(
    tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any], tmp_path: Path
) -> None:
    catalogue = replace(open_zoo().catalogue, heads=tiny_catalogue.heads)
    catalogue = replace(catalogue, plugins=(*catalogue.plugins, *tiny_catalogue.plugins))
    trunk = Part(name="resnet/resnet-18", config={"width": 2, "weights": str(tmp_path / "start.safetensors")})
    donor = build_trunk(catalogue.configure("trunk", trunk.model_copy(update={"config": {"width": 2}})))
    assert isinstance(donor, nn.Module)
    save_file(donor.state_dict(), trunk.config["weights"])
    agent = assemble(resolve(tiny_recipe.model_copy(update={"trunk": trunk}), catalogue))
    save_model(tmp_path / "model.safetensors", agent)
    (tmp_path / "start.safetensors").unlink()
    loaded = load_agent(tmp_path / "model.safetensors", catalogue)
    assert loaded.recipe == agent.recipe


@pytest.mark.parametrize("size", [3, 4096, 12_000, 40_000])
def test_checksum_sees_every_kind_of_change(size: int) -> None:
    data = bytearray(torch.randint(0, 256, (size,), dtype=torch.uint8).numpy().tobytes())
    before = checksum([data])
    swapped = data[-2:] + data[2:-2] + data[:2]
    flipped = data.copy()
    flipped[size // 2] ^= 1
    changes = [swapped, flipped, data[:-1], data + b"\0"]
    assert before not in {checksum([bytes(change)]) for change in changes}
    assert checksum([bytes(data)]) == before
