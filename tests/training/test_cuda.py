"""Training and acting on a CUDA device: what the CPU does, with one wait per step. `make test-cuda` runs them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from accelerate import Accelerator

from tiny import TinyWindows, TrainTiny
from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.compiled import compile_acting
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent
from trunkzoo.registry import open_zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.registry.train_config import TrainConfig
from trunkzoo.system.devices import float32_products
from trunkzoo.training.batches import Batch, Loader, Sampler
from trunkzoo.training.metrics import read_metrics
from trunkzoo.training.speed import bench_training
from trunkzoo.training.step import Learner

CUDA: Literal["cuda"] = "cuda"
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    with float32_products(tf32=False):
        yield


def agent_of(name: str) -> Agent:
    agent = assemble(open_zoo().recipe(name))
    agent.fit_normalizers(unit_statistics(agent.contract))
    return agent


def losses(run: Path) -> list[float]:
    return [row["loss"] for row in read_metrics(run) if "loss" in row]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_training_learns_what_it_learns_on_the_cpu(tiny_run: TrainTiny, accumulate: int) -> None:
    there, here = (tiny_run(device, device=device, accumulate=accumulate) for device in (CUDA, "cpu"))
    assert losses(there.output) == pytest.approx(losses(here.output), rel=1e-3)
    assert losses(here.output)[-1] < losses(here.output)[0]


def test_a_resumed_training_goes_on_as_one_without_a_break(tiny_run: TrainTiny, tiny_catalogue: Catalogue) -> None:
    whole = tiny_run("whole", device=CUDA)
    tiny_run("broken", device=CUDA, stop_at=5)
    broken = tiny_run("broken", device=CUDA, resume=True)
    once, twice = (load_agent(found.checkpoint, tiny_catalogue).state_dict() for found in (whole, broken))
    torch.testing.assert_close(twice, once, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_rounded_products_learn_too(tiny_run: TrainTiny, precision: str) -> None:
    rounded, exact = (tiny_run(name, device=CUDA, precision=name) for name in (precision, "fp32"))
    assert losses(rounded.output) == pytest.approx(losses(exact.output), rel=0.1)


def test_batches_are_gathered_into_pinned_memory(tiny_windows: TinyWindows) -> None:
    loader = Loader(tiny_windows, Sampler(0, len(tiny_windows), 4), slice(0, 4), 2, 1, pinned=True)
    plain = Loader(tiny_windows, Sampler(0, len(tiny_windows), 4), slice(0, 4), 2, 1)
    for parts, others in zip(loader.steps(0, 3), plain.steps(0, 3), strict=True):
        for part, other in zip(parts, others, strict=True):
            assert all(value.is_pinned() for value in part.values())
            torch.testing.assert_close(part, other)


def waits_of_a_step(learner: Learner, batch: Batch) -> list[str]:
    """What torch says of every call in which the host waits for the device, in one step."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            learner.step(3, [batch], False)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return [str(each.message) for each in caught if "synchronizing" in str(each.message)]


@pytest.mark.parametrize(("recipe", "waits"), [("regression-resnet18-demo", 1), ("imf-attnres-demo", 2)])
def test_a_step_waits_for_its_numbers_alone(recipe: str, waits: int) -> None:
    """And with the iMF head to pick the samples whose interval has a length."""
    agent = agent_of(recipe)
    config = TrainConfig(steps=8, batch_size=8)
    batch = {key: value.pin_memory() for key, value in random_batch(agent.contract, 8).items()}
    learner = Learner(agent, config, 0, Accelerator())
    for step in range(3):  # workspaces and the optimiser's state are made once
        learner.step(step, [batch], False)
    found = waits_of_a_step(learner, batch)
    assert len(found) == waits, found


@pytest.mark.parametrize("recipe", ["tour-resnet", "tour-attnres", "imf-attnres-demo"])
def test_an_agent_predicts_what_it_predicts_on_the_cpu(recipe: str) -> None:
    agent = agent_of(recipe).eval()
    batch, noise = random_batch(agent.contract), random_noise(agent.contract)
    here = agent.predict(batch, noise)
    there = agent.to(CUDA).predict({key: value.to(CUDA) for key, value in batch.items()}, noise)
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # the compiler trips over warnings of its own
def test_a_compiled_agent_predicts_the_same() -> None:
    agent = agent_of("tour-resnet").to(CUDA).eval()
    batch = {key: value.to(CUDA) for key, value in random_batch(agent.contract).items()}
    noise = random_noise(agent.contract)
    eager = agent.predict(batch, noise)
    torch.testing.assert_close(compile_acting(agent).predict(batch, noise), eager, rtol=1e-4, atol=1e-4)


def test_a_measured_training_knows_memory_and_peak(tiny_recipe: Recipe, tiny_catalogue: Catalogue) -> None:
    (row,) = bench_training([resolve(tiny_recipe, tiny_catalogue)], device=CUDA, steps=4)
    assert row.samples_per_second > 0
    assert 0 < row.memory_mb < 1000
    assert row.peak_share is None or 0 < row.peak_share < 1
