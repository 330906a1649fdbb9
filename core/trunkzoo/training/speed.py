"""How fast recipes train here: samples per second, the share of the card's peak that they reach, the wait for data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, unit_statistics
from trunkzoo.data import open_dataset
from trunkzoo.errors import UsageError
from trunkzoo.plugin.contract import SEED_KEY, Contract
from trunkzoo.registry.resolved import ResolvedRecipe
from trunkzoo.system.devices import bf16_peak
from trunkzoo.system.progress import progress
from trunkzoo.training.batches import Batch, Windows
from trunkzoo.training.config import RunConfig
from trunkzoo.training.loop import train_on

_FRAMES = 256  # made-up windows, where there is no dataset
_COUNTED = 16  # samples over which operations are averaged: some heads work more on some samples


@dataclass(frozen=True)
class SpeedRow:
    """One recipe's training, after as many steps of warm-up as are measured. Wall time."""

    recipe: str
    precision: str
    batch: int
    samples_per_second: float
    operations: int
    """Multiplications and additions of one sample in convolutions and matrix products, forward and backward."""
    peak_share: float | None
    """Operations per second over the card's peak in bf16; None on a CPU and on cards whose peak is not known."""
    data_wait: float
    """Share of the time that is spent waiting for data."""
    memory_mb: float
    """Most that tensors took on the GPU, or the process on a CPU."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


class _Span(NamedTuple):
    start: int
    stop: int


class MadeUp:
    """Windows of random numbers in a contract's shapes, in memory."""

    images: Mapping[str, str]

    def __init__(self, contract: Contract) -> None:
        self._batch = random_batch(contract, _FRAMES)
        del self._batch[SEED_KEY]
        self.stats: Mapping[str, Any] = unit_statistics(contract)
        self.images = dict.fromkeys(contract.cameras, "made up")
        self.episodes = [_Span(0, _FRAMES)]

    def __len__(self) -> int:
        return _FRAMES

    def gather(self, indices: Tensor) -> Batch:
        """The windows of ``indices``, copied."""
        return {key: value[indices] for key, value in self._batch.items()}


def bench_training(
    recipes: Sequence[ResolvedRecipe],
    data: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    *,
    steps: int = 20,
    threads: int | None = None,
) -> list[SpeedRow]:
    """Train each recipe for 2 × ``steps`` steps in a folder that is thrown away, and measure the second half.

    Without ``data`` on made-up windows; their wait for data is that of copying, not of a dataset's cache.

    Raises:
        UsageError: no recipe or no step; the device or the dataset is not there.
    """
    if not recipes or steps < 1:
        raise UsageError(f"{len(recipes)} recipes, {steps} steps: a measurement needs at least one of each")
    rows = []
    with progress("recipes measured", len(recipes)) as advance:
        for recipe in recipes:
            rows.append(_row(recipe, data, device, steps, threads))
            advance(1)
    return rows


def _row(
    resolved: ResolvedRecipe, data: Path | None, device: Literal["auto", "cpu", "cuda"], steps: int, threads: int | None
) -> SpeedRow:
    short = {"steps": 2 * steps, "log_every": steps, "checkpoint_every": 2 * steps, "holdout_episodes": 0}
    train = resolved.recipe.train.model_copy(update=short)
    recipe = resolved.recipe.model_copy(update={"train": train})
    windows: Callable[[], Windows] = (
        partial(MadeUp, recipe.contract) if data is None else partial(open_dataset, data, recipe.contract)
    )
    with TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        run = RunConfig(
            recipe=recipe, data=data or output, output=output, device=device, threads=threads, progress=False
        )
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        measured = train_on(run, replace(resolved, recipe=recipe), windows).metrics
    on_gpu = device != "cpu" and torch.cuda.is_available()
    rate, operations = measured["steps_per_second"] * train.batch_size, operations_of(resolved)
    peak = bf16_peak(torch.cuda.get_device_name()) if on_gpu else None
    return SpeedRow(
        recipe=recipe.name,
        precision=train.precision,
        batch=train.batch_size,
        samples_per_second=rate,
        operations=operations,
        peak_share=rate * operations / peak if peak else None,
        data_wait=measured["data_wait"],
        memory_mb=torch.cuda.max_memory_allocated() / 2**20 if on_gpu else measured["memory_mb"],
    )


def operations_of(recipe: ResolvedRecipe) -> int:
    """Multiplications and additions of one sample in convolutions and matrix products, forward and backward."""
    agent = assemble(recipe).train()
    agent.fit_normalizers(unit_statistics(agent.contract))
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(agent.loss(random_batch(agent.contract, _COUNTED))["loss"])
    return int(counter.get_total_flops()) // _COUNTED


def as_table(rows: Sequence[SpeedRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and cells of the table that people read."""
    columns = ("recipe", "precision", "batch", "samples/s", "operations", "of bf16 peak", "data wait", "memory")
    return columns, [
        (
            row.recipe,
            row.precision,
            str(row.batch),
            f"{row.samples_per_second:,.1f}",
            f"{row.operations / 1e9:.3g} G",
            "–" if row.peak_share is None else f"{row.peak_share:.1%}",
            f"{row.data_wait:.1%}",
            f"{row.memory_mb:,.0f} MB",
        )
        for row in rows
    ]
