"""An export acts like the agent behind it: same episodes, rows like any other, a latency, and honest refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.bench.agent import bench_agent
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.checkpoint import save_model
from trunkzoo.errors import UsageError
from trunkzoo.export.acting import load_export
from trunkzoo.export.export import export_checkpoint
from trunkzoo.export.parity import perturbed
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.episode import run_episode
from trunkzoo.rollouts.job import EpisodeResult
from trunkzoo.rollouts.plan import Plan
from trunkzoo.rollouts.policies import make_policy


class Pair(NamedTuple):
    """A checkpoint of an agent whose weights say something, and its export."""

    agent: Agent
    model: Path
    export: Path
    catalogue: Catalogue


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder, zoo = tmp_path_factory.mktemp("pair"), open_zoo()
    fresh = assemble(zoo.recipe("tour-attnres", {"trunk.widths": [16, 16, 16, 16], "head.blocks": 1}))
    fresh.fit_normalizers(unit_statistics(fresh.contract))
    agent = perturbed(fresh).eval()
    save_model(folder / "model.safetensors", agent, step=3)
    export_checkpoint(folder / "model.safetensors", folder / "out", zoo.catalogue)
    return Pair(agent, folder / "model.safetensors", folder / "out", zoo.catalogue)


def play(planned: Plan, catalogue: Catalogue, seeds: range) -> list[EpisodeResult]:
    task, policy = make_task(catalogue.configure("task", planned.job.task)), make_policy(planned.job, catalogue)
    return [run_episode(task, policy, seed, 40) for seed in seeds]


@pytest.mark.parametrize("policy", ["agent", "blind"])
def test_episodes_are_those_of_the_agent(policy: str, pair: Pair) -> None:
    planned = [plan(pair.catalogue, policy, path) for path in (pair.model, pair.export)]
    torch_rows, onnx_rows = (play(each, pair.catalogue, range(6)) for each in planned)
    assert len({row.total_reward for row in torch_rows}) == 6
    for mine, other in zip(torch_rows, onnx_rows, strict=True):
        assert (mine.success, mine.success_step) == (other.success, other.success_step)
        assert other.total_reward == pytest.approx(mine.total_reward, rel=1e-4)


def test_rows_say_what_acted(pair: Pair) -> None:
    of_agent, of_export = (plan(pair.catalogue, "agent", path).provenance for path in (pair.model, pair.export))
    assert of_export["versions"]["onnxruntime"]
    assert of_export["checkpoint_sha256"] != of_agent["checkpoint_sha256"]
    same = of_agent.keys() - {"versions", "checkpoint_sha256"}
    assert {key: of_export[key] for key in same} == {key: of_agent[key] for key in same}
    assert (of_export["recipe"], of_export["step"]) == ("tour-attnres", 3)


def test_acting_needs_no_plugin_but_the_tasks(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "reach")
    catalogue = open_zoo().catalogue
    assert not catalogue.trunks
    assert len(play(plan(catalogue, "agent", pair.export), catalogue, range(1))) == 1


def test_an_export_refuses_what_it_cannot_do(pair: Pair) -> None:
    with pytest.raises(UsageError, match="acts on the CPU"):
        plan(pair.catalogue, "agent", pair.export, device="cuda")


def test_a_chunk_without_noise_draws_its_own(pair: Pair) -> None:
    exported, batch = load_export(pair.export), random_batch(pair.agent.contract, 2)
    assert exported.predict(batch).shape == pair.agent.predict(batch).shape
    noise = random_noise(pair.agent.contract, 2)
    assert exported.predict(batch, noise) == pytest.approx(pair.agent.predict(batch, noise), abs=1e-5)


def test_its_latency_stands_beside_an_agents(pair: Pair) -> None:
    rows = bench_agent([open_zoo().recipe("tour-attnres")], (1, 2), rounds=2, exports=[pair.export])
    assert [(row.recipe, row.batch, row.trunk is None) for row in rows] == [
        ("tour-attnres", 1, False),
        ("tour-attnres in onnxruntime", 1, True),
        ("tour-attnres", 2, False),
        ("tour-attnres in onnxruntime", 2, True),
    ]
    assert all(row.total.median > 0 for row in rows)
    assert rows[1].head_share is None


ALONE = "import runpy, sys; sys.modules.update(torch=None, trunkzoo=None); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
EXAMPLE = Path(__file__).parents[2] / "docs" / "act_with_onnx.py"


def test_the_example_acts_without_torch_as_the_agent_does(pair: Pair) -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30
    command = [sys.executable, "-c", ALONE, str(EXAMPLE), str(pair.export)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = [[float(number) for number in line.split()] for line in done.stdout.splitlines()]
    contract, rng, expected = pair.agent.contract, np.random.default_rng(0), []
    dark = {key: torch.zeros(1, 3, *contract.image_size, dtype=torch.uint8) for key in contract.image_keys}
    dark["observation.state"] = torch.zeros(1, contract.state_dim)
    pair.agent.reset()
    for step in range(2 * contract.num_action_steps):
        noise = None
        if step % contract.num_action_steps == 0:
            drawn = rng.standard_normal((1, contract.pred_horizon, contract.action_dim), np.float32)
            noise = torch.from_numpy(drawn)
        expected.append(pair.agent.act(dark, noise)[0].tolist())
    np.testing.assert_allclose(printed, expected, atol=1e-5)


def test_a_trunk_alone_does_not_act(pair: Pair, tmp_path: Path) -> None:
    record = json.loads((pair.export / "export.json").read_text())
    (tmp_path / "export.json").write_text(json.dumps({**record, "scope": "trunk"}))
    (tmp_path / "agent.onnx").write_bytes((pair.export / "agent.onnx").read_bytes())
    with pytest.raises(UsageError, match="is a trunk for onnx"):
        load_export(tmp_path)
