"""An exported graph gives the agent's own actions in onnxruntime, says what it takes, and is refused where it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tiny import TinyHead, TinyTrunk
from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import save_model
from trunkzoo.errors import CheckpointError, DataError, ExportError, UsageError
from trunkzoo.export.export import export_agent, export_checkpoint
from trunkzoo.export.record import ExportRecord, read_export
from trunkzoo.registry import open_zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve


@pytest.fixture
def tiny_agent(tiny_recipe: Recipe, tiny_catalogue: Catalogue, tiny_stats: Mapping[str, Any]) -> Agent:
    agent = assemble(resolve(tiny_recipe, tiny_catalogue))
    agent.fit_normalizers(tiny_stats)
    return agent.eval()


def run(graph: Path, arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return session.run(None, {port.name: arrays[port.name] for port in session.get_inputs()})


def arrays_of(batch: Mapping[str, Tensor], noise: Tensor) -> dict[str, NDArray[Any]]:
    return {key: value.numpy() for key, value in batch.items()} | {"noise": noise.numpy()}


@pytest.fixture
def exported(tiny_agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> tuple[Path, ExportRecord]:
    return tmp_path / "out", export_agent(tiny_agent, tmp_path / "out", tiny_catalogue)


@pytest.mark.parametrize("size", [1, 2, 7, 11])
def test_onnxruntime_gives_the_agents_actions_for_any_batch(
    size: int, tiny_agent: Agent, exported: tuple[Path, ExportRecord]
) -> None:
    batch, noise = random_batch(tiny_agent.contract, size, seed=size), random_noise(tiny_agent.contract, size)
    (actions,) = run(exported[0] / "agent.onnx", arrays_of(batch, noise))
    np.testing.assert_allclose(actions, tiny_agent.predict(batch, noise).numpy(), atol=2e-6)


def test_the_record_says_what_goes_in_and_out(exported: tuple[Path, ExportRecord], tiny_agent: Agent) -> None:
    folder, record = exported
    assert sorted(path.name for path in folder.iterdir()) == ["agent.onnx", "export.json"]
    ports = {port.name: port for port in (*record.inputs, *record.outputs)}
    assert ports["observation.images.wrist"].shape == ("batch", 2, 3, 16, 16)
    assert list(ports["observation.state"].low) == [-1.0, -1.0, -1.0]
    assert ports["action"].shape == ("batch", 4, 2)
    assert record.contract == tiny_agent.contract
    assert record.opset == 18
    assert read_export(folder) == read_export(folder / "agent.onnx") == (folder / "agent.onnx", record)


def test_parity_is_looked_at_on_weights_that_say_something(exported: tuple[Path, ExportRecord]) -> None:
    found = {parity.weights: parity for parity in exported[1].parity}
    assert found.keys() == {"real", "perturbed"}
    assert found["perturbed"].spread > 0.01
    assert max(parity.error for parity in found.values()) < 1e-5


def test_trunks_alone_give_the_feature_maps(tiny_agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    export_agent(tiny_agent, tmp_path / "out", tiny_catalogue, scope="trunk")
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    keys = tiny_agent.contract.image_keys
    maps = run(tmp_path / "out" / "trunk.onnx", {key: images.numpy() for key in keys})
    with torch.no_grad():
        expected = [tiny_agent.encoder.feature_map(i, images[:, None]).numpy() for i in range(len(keys))]
    np.testing.assert_allclose(maps, expected, atol=2e-6)


class Noiseless(TinyHead):
    """Decides by the condition alone, as regression does."""

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        return super().sample(cond, torch.zeros_like(noise))


def test_the_record_lists_what_the_graph_asks_for(tiny_agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    tiny_agent.head = Noiseless(8, tiny_agent.contract)
    record = export_agent(tiny_agent, tmp_path / "out", tiny_catalogue)
    batch, noise = random_batch(tiny_agent.contract, 3), random_noise(tiny_agent.contract, 3)
    arrays = arrays_of(batch, noise)
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "agent.onnx"), providers=["CPUExecutionProvider"])
    (actions,) = session.run(None, {port.name: arrays[port.name] for port in record.inputs})
    np.testing.assert_allclose(actions, tiny_agent.predict(batch, noise).numpy(), atol=2e-6)


class Branching(TinyTrunk):
    """Sees single images otherwise than many: a trace follows one branch."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images if len(images) > 2 else images.flip(-1))


def test_a_graph_that_computes_something_else_is_not_kept(
    tiny_agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path
) -> None:
    tiny_agent.encoder.trunks[0] = Branching(8)
    with pytest.raises(ExportError, match=r"differs from the agent by .* of the output's range on perturbed weights"):
        export_agent(tiny_agent, tmp_path / "out", tiny_catalogue)
    assert list(tmp_path.iterdir()) == []


def test_an_agent_without_statistics_is_refused_at_once(
    tiny_recipe: Recipe, tiny_catalogue: Catalogue, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="never trained"):
        export_agent(assemble(resolve(tiny_recipe, tiny_catalogue)), tmp_path / "out", tiny_catalogue)


def test_a_changed_graph_is_noticed(exported: tuple[Path, ExportRecord]) -> None:
    graph = exported[0] / "agent.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not the graph that export\.json describes"):
        read_export(exported[0])
    (exported[0] / "export.json").write_text("{}")
    with pytest.raises(CheckpointError, match="damaged"):
        read_export(exported[0])


def test_what_is_no_export_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no export at"):
        read_export(tmp_path / "nowhere")
    (tmp_path / "lone.onnx").touch()
    with pytest.raises(CheckpointError, match=r"needs its export\.json"):
        read_export(tmp_path / "lone.onnx")


def test_a_checkpoint_is_named_by_its_hash(tiny_agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_model(file, tiny_agent, step=5)
    stages: list[str] = []
    record = export_checkpoint(file, tmp_path / "out", tiny_catalogue, say=stages.append)
    assert record.step == 5
    assert record.source_sha256 is not None
    assert record.recipe["name"] == "tiny"
    assert record.header().recipe == json.loads(tiny_agent.recipe.model_dump_json())
    assert len(stages) == 6


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["agent", "trunk"])
def test_a_program_of_torch_export_gives_the_same(
    scope: Any, tiny_agent: Agent, tiny_catalogue: Catalogue, tmp_path: Path
) -> None:
    record = export_agent(tiny_agent, tmp_path / "out", tiny_catalogue, format="torch", scope=scope)
    assert max(parity.error for parity in record.parity) < 1e-5
    assert record.file == f"{scope}.pt2"


FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet-18": ("tour-resnet", {}),
    "resnet-50": ("tour-resnet", {"trunk": "resnet-50", "trunk.width": 16, "trunk.norm": "group"}),
    "batch norm": ("tour-resnet", {"trunk.norm": "batch"}),
    "attnres-conv-18": ("tour-attnres", {}),
    "attnres-conv-deep": ("tour-attnres", {"trunk": "attnres-conv-deep"}),
    "attnres-tokens": ("tour-attnres", {"trunk": "attnres-tokens"}),
    "attnres-hybrid": ("tour-attnres", {"trunk": "attnres-hybrid"}),
    "dinov2": ("tour-resnet", {"trunk": "transformers/dinov2-small"}),
    "convnextv2": ("tour-resnet", {"trunk": "transformers/convnextv2-atto"}),
    "swin": ("tour-resnet", {"trunk": "transformers/swin-tiny"}),
    "flow": ("tour-resnet", {"head.name": "imf/flow", "head.width": 32, "head.blocks": 1, "head.heads": 2}),
    "ddim": ("tour-resnet", {"head.name": "imf/ddim", "head.width": 32, "head.blocks": 1, "head.heads": 2}),
    "drift": ("tour-resnet", {"head.name": "imf/drift", "head.width": 32, "head.blocks": 1, "head.heads": 2}),
    "regression": ("tour-resnet", {"head.name": "imf/regression", "head.width": 32, "head.blocks": 1, "head.heads": 2}),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_trunks_and_heads_exports(family: str, tmp_path: Path) -> None:
    name, settings = FAMILIES[family]
    zoo = open_zoo()
    given = {**settings}
    recipe = zoo.recipe(name, given, given.pop("trunk", None))
    agent = assemble(recipe)
    agent.fit_normalizers(unit_statistics(agent.contract))
    record = export_agent(agent, tmp_path / "out", zoo.catalogue)
    assert max(parity.error for parity in record.parity) <= 1e-5
