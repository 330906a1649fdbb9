"""An agent lives on one device: everything it makes is made there, and a step waits for it where it must.

No GPU is needed: ``labelled`` makes a device whose rules are CUDA's and whose numbers are the CPU's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from labelled import ELSEWHERE, Labelled, Machine
from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, unit_statistics
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.checkpoint.tensors import write_tensors
from trunkzoo.plugin import Contract
from trunkzoo.registry import open_zoo
from trunkzoo.registry.recipe import EncoderConfig, Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.registry.train_config import EmaConfig
from trunkzoo.training.optimizer import Ema
from trunkzoo.training.probes import depth_entropy

CONTRACT = Contract(
    cameras=("front",), image_size=(40, 40), state_dim=3, action_dim=2, keypoints=4, camera_dim=5, cond_dim=8, pred_horizon=4,
    num_action_steps=2,
)  # fmt: skip
AUGMENTED = EncoderConfig(crop=(36, 36), colour_jitter=0.2, state_noise=0.1)  # maps of 9 × 9: windows overhang
ATTNRES = {"widths": (16, 16, 32, 32), "heads": (1, 1, 2, 2), "depths": (1, 1, 2, 1)}
TRUNKS = {
    "resnet": Part(name="resnet/resnet-18", config={"width": 16, "norm": "group"}),
    "full": Part(name="attnres/attnres-conv-18", config={**ATTNRES, "depths": (2, 2, 2, 2), "query_rank": 2}),
    "uniform": Part(name="attnres/attnres-conv-deep", config={**ATTNRES, "mixing": "uniform"}),
    "tokens": Part(name="attnres/attnres-tokens", config={**ATTNRES, "carry": True}),
}
HEAD = {"width": 16, "blocks": 2, "heads": 2}
GENERATIVE = {**HEAD, "cond_dropout": 0.2, "draws_per_sample": 2}
HEADS = {
    "imf": Part(name="imf/imf", config=GENERATIVE),
    "flow": Part(name="imf/flow", config={**GENERATIVE, "sample_steps": 2}),
    "ddim": Part(name="imf/ddim", config={**GENERATIVE, "sample_steps": 2}),
    "regression": Part(name="imf/regression", config=HEAD),
}
EVERY = [("resnet", head) for head in HEADS] + [(trunk, "imf") for trunk in TRUNKS if trunk != "resnet"]


def for_agents(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("agent", pairs, ids="-".join, indirect=True)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return open_zoo().catalogue


@pytest.fixture
def agent(request: pytest.FixtureRequest, catalogue: Catalogue) -> Agent:
    trunk, head = request.param
    recipe = Recipe(name="a", trunk=TRUNKS[trunk], head=HEADS[head], contract=CONTRACT, encoder=AUGMENTED)
    agent = assemble(resolve(recipe, catalogue))
    agent.fit_normalizers(unit_statistics(CONTRACT))
    for parameter in agent.parameters():  # outputs and queries start at zero, behind which faults could hide
        torch.nn.init.normal_(parameter, std=0.1)
    return agent


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine() as machine:
        yield machine


def moved(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.to(ELSEWHERE) for key, value in batch.items()}


def held(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The numbers of tensors that must all be elsewhere."""
    numbers = []
    for tensor in tensors:
        assert isinstance(tensor, Labelled)
        numbers.append(tensor.held)
    return numbers


def train_once(agent: Agent, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    ema = Ema(agent.train(), EmaConfig(decay_max=0.5))
    scalars = agent.loss(batch)
    scalars["loss"].backward()
    norm = torch.nn.utils.clip_grad_norm_(agent.parameters(), 1.0)
    ema.update()
    gradients = {name: parameter.grad for name, parameter in agent.named_parameters() if parameter.grad is not None}
    return {**scalars, "norm": norm, **gradients, **{f"average {name}": x for name, x in ema.averages.items()}}


@for_agents(*EVERY)
def test_a_step_does_the_same_on_another_device_and_waits_only_to_pick_moving_samples(
    agent: Agent, machine: Machine
) -> None:
    batch = random_batch(CONTRACT, size=3)
    here = train_once(deepcopy(agent), batch)
    agent.to(ELSEWHERE)
    batch = moved(batch)
    machine.waits.clear()
    there = train_once(agent, batch)
    assert machine.waits == (["nonzero"] if agent.recipe.head.name == "imf/imf" else [])
    assert there.keys() == here.keys()
    torch.testing.assert_close(held(there.values()), list(here.values()), rtol=1e-4, atol=1e-5)
    assert len(here) > 2 * len(list(agent.parameters()))  # every parameter has a gradient, and an average


@for_agents(*(("resnet", head) for head in HEADS), ("tokens", "imf"))
def test_it_acts_the_same_on_another_device(agent: Agent, machine: Machine) -> None:
    observed = {key: value[:, -1] for key, value in random_batch(CONTRACT).items() if key.startswith("observation")}
    noise = torch.randn(2, CONTRACT.pred_horizon, CONTRACT.action_dim)
    agent.eval()
    here = [agent.act(observed, noise) for _ in range(3)]
    agent.reset()
    agent.to(ELSEWHERE)
    torch.testing.assert_close(held(agent.act(observed, noise) for _ in range(3)), here, rtol=1e-5, atol=1e-6)


@for_agents(("full", "imf"))
def test_the_noise_of_a_prediction_may_come_from_any_generator(agent: Agent, machine: Machine) -> None:
    batch = random_batch(CONTRACT)
    here = agent.eval().predict(batch, generator=torch.Generator().manual_seed(3))
    there = agent.to(ELSEWHERE).predict(moved(batch), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(held([there]), [here], rtol=1e-5, atol=1e-6)


@for_agents(("full", "imf"))
def test_what_looks_into_an_agent_works_on_another_device(agent: Agent, machine: Machine) -> None:
    batch = random_batch(CONTRACT)
    entropy = depth_entropy(agent, batch)
    agent.to(ELSEWHERE)
    assert depth_entropy(agent, batch) == pytest.approx(entropy)


@for_agents(("full", "imf"))
def test_a_checkpoint_does_not_tell_where_it_was_trained(agent: Agent, machine: Machine, tmp_path: Path) -> None:
    here = write_tensors(tmp_path / "here", agent.state_dict(), {})
    assert write_tensors(tmp_path / "there", agent.to(ELSEWHERE).state_dict(), {}) == here


def test_a_tensor_of_another_device_is_refused(machine: Machine) -> None:
    there = torch.ones(3, device=ELSEWHERE)
    with pytest.raises(RuntimeError, match="on the same device"):
        there + torch.ones(3)
    with pytest.raises(RuntimeError, match="one by one"):
        there * there.new_tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("read", [Tensor.item, Tensor.nonzero, lambda x: x[x > 0], Tensor.cpu, lambda x: x.any() or 1])
def test_reading_a_number_is_a_wait(read: Callable[[Tensor], object], machine: Machine) -> None:
    read(torch.ones(1, device=ELSEWHERE))
    assert len(machine.waits) == 1
