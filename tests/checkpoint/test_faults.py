"""Every way in which a checkpoint cannot be read or written says its own sentence."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent, read_header, save_checkpoint
from trunkzoo.checkpoint.header import read_safetensors_header
from trunkzoo.checkpoint.parts import CheckpointWarning
from trunkzoo.checkpoint.tensors import write_tensors
from trunkzoo.errors import CheckpointError, ContractError, UsageError, ZooError
from trunkzoo.registry.recipe import Recipe


def rewrite(path: Path, tensors: dict[str, Tensor] | None = None, **metadata: str | None) -> None:
    """Write the file again with other tensors or metadata; None drops a field."""
    old = read_safetensors_header(path).metadata
    kept = {key: value for key, value in {**old, **metadata}.items() if value is not None}
    tensors = load_file(path) if tensors is None else tensors
    path.unlink()  # the library maps the file, so it must not change under its tensors
    write_tensors(path, tensors, kept)


def test_file_cut_in_half(saved: Path, tiny_catalogue: Catalogue) -> None:
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="cut short"):
        load_agent(saved, tiny_catalogue)


@pytest.mark.parametrize("length", [0, 5, 40])
def test_file_cut_inside_its_header(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="cut short"):
        read_header(saved)


def test_header_is_no_json(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[9:13] = b"\xff\xfe{{"
    saved.write_bytes(data)
    with pytest.raises(CheckpointError, match="is no JSON"):
        read_header(saved)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("weights are elsewhere")
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        read_header(tmp_path / "notes.txt")


def test_weights_of_another_program(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="another program"):
        read_header(tmp_path / "w.safetensors")


def test_newer_format(saved: Path) -> None:
    rewrite(saved, format="2")
    with pytest.raises(CheckpointError, match=r"format 2, this trunkzoo reads up to 1.*upgrade"):
        read_header(saved)


def test_header_without_a_field(saved: Path) -> None:
    rewrite(saved, plugins=None)
    with pytest.raises(CheckpointError, match="lacks 'plugins'"):
        read_header(saved)


def test_missing_and_unknown_tensors(saved: Path, tiny_catalogue: Catalogue) -> None:
    tensors = load_file(saved)
    weight = tensors.pop("head.query")
    rewrite(saved, tensors)
    with pytest.raises(CheckpointError, match=r"lacks 1 tensor: head\.query"):
        load_agent(saved, tiny_catalogue)
    rewrite(saved, tensors | {"head.query": weight, "extra": weight})
    with pytest.raises(CheckpointError, match="holds unknown 1 tensor: extra"):
        load_agent(saved, tiny_catalogue)


@pytest.mark.parametrize("change", [lambda t: t[:3], lambda t: t.double()])
def test_wrong_shape_or_dtype(saved: Path, tiny_catalogue: Catalogue, change: Callable[[Tensor], Tensor]) -> None:
    tensors = load_file(saved)
    rewrite(saved, tensors | {"head.query": change(tensors["head.query"]).contiguous()})
    with pytest.raises(CheckpointError, match=r"'head\.query' is .* the agent expects torch\.float32 \(8,\)"):
        load_agent(saved, tiny_catalogue)


def test_absent_plugin_names_what_to_install(saved: Path, tiny_catalogue: Catalogue) -> None:
    with pytest.raises(CheckpointError, match=r"needs trunk 'tiny/trunk'.*pip install 'tiny-parts==1\.0'"):
        load_agent(saved, replace(tiny_catalogue, trunks={}))


def test_other_plugin_version_is_said(saved: Path, tiny_catalogue: Catalogue) -> None:
    row = replace(tiny_catalogue.plugins[0], version="1.1")
    with pytest.warns(CheckpointWarning, match=r"tiny-parts 1\.0, installed is 1\.1"):
        load_agent(saved, replace(tiny_catalogue, plugins=(row,)))


def test_other_plugin_api(saved: Path, tiny_catalogue: Catalogue) -> None:
    row = replace(tiny_catalogue.plugins[0], api="2")
    with pytest.raises(CheckpointError, match="plugin API 1, installed is API 2"):
        load_agent(saved, replace(tiny_catalogue, plugins=(row,)))


def test_contract_of_another_recipe_shows_both_sides(
    saved: Path, tiny_catalogue: Catalogue, tiny_recipe: Recipe
) -> None:
    other = tiny_recipe.model_copy(update={"contract": tiny_recipe.contract.model_copy(update={"pred_horizon": 16})})
    with pytest.raises(ContractError, match="pred_horizon: 4 ≠ 16"):
        load_agent(saved, tiny_catalogue, expect=other)


def test_contract_that_contradicts_the_stored_recipe(saved: Path, tiny_catalogue: Catalogue) -> None:
    contract = json.loads(read_safetensors_header(saved).metadata["contract"]) | {"action_dim": 7}
    rewrite(saved, contract=json.dumps(contract))
    with pytest.raises(ContractError, match="action_dim: 7 ≠ 2"):
        load_agent(saved, tiny_catalogue)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint at"):
        read_header(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no checkpoint"):
        read_header(tmp_path)


def test_changed_byte_breaks_the_hash(agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", agent)
    file = tmp_path / "c" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged: checksum"):
        load_agent(tmp_path / "c", tiny_catalogue)


def test_directory_without_manifest_is_unfinished(agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", agent)
    (tmp_path / "c" / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="never finished"):
        load_agent(tmp_path / "c", tiny_catalogue)


def test_existing_checkpoint_is_not_overwritten(agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", agent)
    before = (tmp_path / "c" / "manifest.json").stat().st_mtime_ns
    with pytest.raises(UsageError, match="already exists"):
        save_checkpoint(tmp_path / "c", agent, step=1)
    assert (tmp_path / "c" / "manifest.json").stat().st_mtime_ns == before


def test_failure_while_writing_leaves_nothing(agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("not a directory")
    with pytest.raises(UsageError, match="cannot write"):
        save_checkpoint(folder / "c", agent)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.filterwarnings("ignore::trunkzoo.checkpoint.parts.CheckpointWarning")
def test_damaged_header_never_gives_a_traceback(saved: Path, tiny_catalogue: Catalogue) -> None:
    data = saved.read_bytes()
    header, rng = 8 + int.from_bytes(data[:8], "little"), random.Random(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.randrange(header)] = rng.choice(b'{}[]",:019azX\x00\xff')
        saved.unlink()
        saved.write_bytes(damaged)
        with contextlib.suppress(ZooError):  # a change in a summary, say, does no harm and loads
            load_agent(saved, tiny_catalogue)


def test_a_dtype_that_checkpoints_do_not_hold(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'rotary' is torch\.complex64"):
        write_tensors(tmp_path / "x.safetensors", {"rotary": torch.zeros(2, dtype=torch.complex64)}, {})
