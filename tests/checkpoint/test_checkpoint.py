"""Checkpoints: what goes in comes out, and every way to fail says its own sentence."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from trunkzoo.agent.assemble import assemble, build_trunk
from trunkzoo.agent.example import random_batch
from trunkzoo.checkpoint import load_agent, read_header, save_checkpoint, save_model
from trunkzoo.checkpoint.checksum import checksum
from trunkzoo.checkpoint.header import read_safetensors_header
from trunkzoo.checkpoint.load import CheckpointWarning
from trunkzoo.checkpoint.tensors import write_tensors
from trunkzoo.errors import CheckpointError, ContractError, UsageError, ZooError
from trunkzoo.registry import open_zoo
from trunkzoo.registry.recipe import Part
from trunkzoo.registry.resolved import resolve


@pytest.fixture
def agent(tiny_recipe, tiny_catalogue, tiny_stats):
    built = assemble(resolve(tiny_recipe, tiny_catalogue), seed=3)
    built.fit_normalizers(tiny_stats)
    return built.eval()


@pytest.fixture
def saved(agent, tiny_catalogue, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, agent, step=7)
    return path


def rewrite(path: Path, tensors=None, **metadata: str | None) -> None:
    """Write the file again with other tensors or metadata; None drops a field."""
    old = read_safetensors_header(path).metadata
    kept = {key: value for key, value in {**old, **metadata}.items() if value is not None}
    tensors = load_file(path) if tensors is None else tensors
    path.unlink()  # the library maps the file, so it must not change under its tensors
    write_tensors(path, tensors, kept)


def test_lone_file_acts_bit_equal(agent, saved, tiny_catalogue, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "renamed.safetensors"
    elsewhere.parent.mkdir()
    saved.rename(elsewhere)
    loaded = load_agent(elsewhere, tiny_catalogue)
    obs, noise = random_batch(agent.contract), torch.randn(2, 4, 2)
    assert torch.equal(loaded.predict(obs, noise), agent.predict(obs, noise))


def test_file_is_what_the_library_reads(agent, saved):
    stored = load_file(saved)
    assert all(torch.equal(stored[name], tensor) for name, tensor in agent.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.float32])
def test_every_dtype_survives(tmp_path, dtype):
    tensors = {"b": (torch.randn(3, 5) * 3).to(dtype), "a": torch.ones((), dtype=torch.uint8), "empty": torch.zeros(0)}
    write_tensors(tmp_path / "t", tensors, {})
    stored = load_file(tmp_path / "t")
    assert all(torch.equal(stored[name], tensors[name]) for name in tensors)


def test_equal_content_gives_equal_bytes(agent, tiny_catalogue, tmp_path):
    for name in "ab":
        save_model(tmp_path / name, agent)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_header_tells_everything(saved, tiny_recipe):
    header = read_header(saved)
    assert (header.format, header.step, header.contract) == (1, 7, tiny_recipe.contract)
    assert [(use.kind, use.id, use.distribution, use.version) for use in header.plugins] == [
        ("trunk", "tiny/trunk", "tiny-parts", "1.0"),
        ("head", "tiny/head", "tiny-parts", "1.0"),
    ]
    assert header.recipe["trunk"]["config"] == {"width": 8}
    assert header.versions["torch"] == torch.__version__


def test_header_needs_no_torch(saved):
    code = f"""import sys
from trunkzoo.checkpoint import read_header
read_header({str(saved)!r})
assert not {{"torch", "numpy", "safetensors"}} & sys.modules.keys()"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_file_that_the_trunk_started_from_may_be_gone(tiny_recipe, tiny_catalogue, tiny_stats, tmp_path):
    catalogue = replace(open_zoo().catalogue, heads=tiny_catalogue.heads)
    catalogue = replace(catalogue, plugins=(*catalogue.plugins, *tiny_catalogue.plugins))
    trunk = Part(name="resnet/resnet-18", config={"width": 2, "weights": str(tmp_path / "start.safetensors")})
    save_file(
        build_trunk(catalogue.configure("trunk", trunk.model_copy(update={"config": {"width": 2}}))).state_dict(),
        trunk.config["weights"],
    )
    agent = assemble(resolve(tiny_recipe.model_copy(update={"trunk": trunk}), catalogue))
    save_model(tmp_path / "model.safetensors", agent)
    (tmp_path / "start.safetensors").unlink()
    loaded = load_agent(tmp_path / "model.safetensors", catalogue)
    assert loaded.recipe == agent.recipe


def test_file_cut_in_half(saved, tiny_catalogue):
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="cut short"):
        load_agent(saved, tiny_catalogue)


@pytest.mark.parametrize("length", [0, 5, 40])
def test_file_cut_inside_its_header(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="cut short"):
        read_header(saved)


def test_header_is_no_json(saved):
    data = bytearray(saved.read_bytes())
    data[9:13] = b"\xff\xfe{{"
    saved.write_bytes(data)
    with pytest.raises(CheckpointError, match="is no JSON"):
        read_header(saved)


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "notes.txt").write_text("weights are elsewhere")
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        read_header(tmp_path / "notes.txt")


def test_weights_of_another_program(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="another program"):
        read_header(tmp_path / "w.safetensors")


def test_newer_format(saved):
    rewrite(saved, format="2")
    with pytest.raises(CheckpointError, match=r"format 2, this trunkzoo reads up to 1.*upgrade"):
        read_header(saved)


def test_header_without_a_field(saved):
    rewrite(saved, plugins=None)
    with pytest.raises(CheckpointError, match="lacks 'plugins'"):
        read_header(saved)


def test_missing_and_unknown_tensors(saved, tiny_catalogue):
    tensors = load_file(saved)
    weight = tensors.pop("head.query")
    rewrite(saved, tensors)
    with pytest.raises(CheckpointError, match=r"lacks 1 tensor: head\.query"):
        load_agent(saved, tiny_catalogue)
    rewrite(saved, tensors | {"head.query": weight, "extra": weight})
    with pytest.raises(CheckpointError, match="holds unknown 1 tensor: extra"):
        load_agent(saved, tiny_catalogue)


@pytest.mark.parametrize("change", [lambda t: t[:3], lambda t: t.double()])
def test_wrong_shape_or_dtype(saved, tiny_catalogue, change):
    tensors = load_file(saved)
    rewrite(saved, tensors | {"head.query": change(tensors["head.query"]).contiguous()})
    with pytest.raises(CheckpointError, match=r"'head\.query' is .* the agent expects torch\.float32 \(8,\)"):
        load_agent(saved, tiny_catalogue)


def test_absent_plugin_names_what_to_install(saved, tiny_catalogue):
    with pytest.raises(CheckpointError, match=r"needs trunk 'tiny/trunk'.*pip install 'tiny-parts==1\.0'"):
        load_agent(saved, replace(tiny_catalogue, trunks={}))


def test_other_plugin_version_is_said(saved, tiny_catalogue):
    row = replace(tiny_catalogue.plugins[0], version="1.1")
    with pytest.warns(CheckpointWarning, match=r"tiny-parts 1\.0, installed is 1\.1"):
        load_agent(saved, replace(tiny_catalogue, plugins=(row,)))


def test_other_plugin_api(saved, tiny_catalogue):
    row = replace(tiny_catalogue.plugins[0], api="2")
    with pytest.raises(CheckpointError, match="plugin API 1, installed is API 2"):
        load_agent(saved, replace(tiny_catalogue, plugins=(row,)))


def test_contract_of_another_recipe_shows_both_sides(saved, tiny_catalogue, tiny_recipe):
    other = tiny_recipe.model_copy(update={"contract": tiny_recipe.contract.model_copy(update={"pred_horizon": 16})})
    with pytest.raises(ContractError, match="pred_horizon: 4 ≠ 16"):
        load_agent(saved, tiny_catalogue, expect=other)


def test_contract_that_contradicts_the_stored_recipe(saved, tiny_catalogue):
    contract = json.loads(read_safetensors_header(saved).metadata["contract"]) | {"action_dim": 7}
    rewrite(saved, contract=json.dumps(contract))
    with pytest.raises(ContractError, match="action_dim: 7 ≠ 2"):
        load_agent(saved, tiny_catalogue)


def test_nothing_there(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint at"):
        read_header(tmp_path / "none")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        read_header(tmp_path)


def test_changed_byte_breaks_the_hash(agent, tiny_catalogue, tmp_path):
    save_checkpoint(tmp_path / "c", agent)
    file = tmp_path / "c" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged: checksum"):
        load_agent(tmp_path / "c", tiny_catalogue)


def test_directory_without_manifest_is_unfinished(agent, tiny_catalogue, tmp_path):
    save_checkpoint(tmp_path / "c", agent)
    (tmp_path / "c" / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="never finished"):
        load_agent(tmp_path / "c", tiny_catalogue)


def test_existing_checkpoint_is_not_overwritten(agent, tiny_catalogue, tmp_path):
    save_checkpoint(tmp_path / "c", agent)
    before = (tmp_path / "c" / "manifest.json").stat().st_mtime_ns
    with pytest.raises(CheckpointError, match="already exists"):
        save_checkpoint(tmp_path / "c", agent, step=1)
    assert (tmp_path / "c" / "manifest.json").stat().st_mtime_ns == before


def test_failure_while_writing_leaves_nothing(agent, tiny_catalogue, tmp_path):
    folder = tmp_path / "file"
    folder.write_text("not a directory")
    with pytest.raises(UsageError, match="cannot write"):
        save_checkpoint(folder / "c", agent)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("size", [3, 4096, 12_000, 40_000])
def test_checksum_sees_every_kind_of_change(size):
    data = bytearray(torch.randint(0, 256, (size,), dtype=torch.uint8).numpy().tobytes())
    before = checksum([data])
    swapped = data[-2:] + data[2:-2] + data[:2]
    flipped = data.copy()
    flipped[size // 2] ^= 1
    changes = [swapped, flipped, data[:-1], data + b"\0"]
    assert before not in {checksum([bytes(change)]) for change in changes}
    assert checksum([bytes(data)]) == before


@pytest.mark.filterwarnings("ignore::trunkzoo.checkpoint.load.CheckpointWarning")
def test_damaged_header_never_gives_a_traceback(saved, tiny_catalogue):
    data = saved.read_bytes()
    header, rng = 8 + int.from_bytes(data[:8], "little"), random.Random(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.randrange(header)] = rng.choice(b'{}[]",:019azX\x00\xff')
        saved.unlink()
        saved.write_bytes(damaged)
        with contextlib.suppress(ZooError):  # a change in a summary, say, does no harm and loads
            load_agent(saved, tiny_catalogue)


def test_a_dtype_that_checkpoints_do_not_hold(tmp_path):
    with pytest.raises(CheckpointError, match=r"'rotary' is torch\.complex64"):
        write_tensors(tmp_path / "x.safetensors", {"rotary": torch.zeros(2, dtype=torch.complex64)}, {})
