"""Costs of vision trunks: parameters, multiply-adds, forward, latency, train step and memory, side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.assemble import build_trunk
from trunkzoo.agent.numbers import count_multiply_adds, count_parameters
from trunkzoo.bench.clock import Work, cpu_threads, in_turns, peak_bytes
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import UsageError
from trunkzoo.registry import parse_assignments
from trunkzoo.system.compiling import compiled
from trunkzoo.system.devices import device_of

LATENCY_REPEATS = 8  # batch-1 passes per timing: one is too short for the clock


@dataclass(frozen=True)
class TrunkRow:
    """One trunk's costs. Times in seconds (CPU time of the process, or wall time on a GPU), medians."""

    name: str
    parameters: int
    multiply_adds: int  # of one image
    forward: float  # one evaluation batch
    latency: float  # one image in evaluation
    train_step: float  # forward, backward and AdamW on one batch
    peak_bytes: int  # tensor memory of that step beyond parameters and optimiser state

    def ratios(self, first: TrunkRow) -> dict[str, float]:
        """Every cost over that of ``first``."""
        costs = ("parameters", "multiply_adds", "forward", "latency", "train_step", "peak_bytes")
        return {cost: getattr(self, cost) / getattr(first, cost) for cost in costs}


def parse_trunk(text: str) -> Part:
    """``NAME`` or ``NAME,key=value,…``, such as ``resnet-18,norm=group``."""
    name, *assignments = re.split(r",(?=[\w.-]+=)", text)  # a comma inside a list is no separator
    return Part(name=name, config=parse_assignments(assignments))


def bench_trunks(
    names: Sequence[str],
    catalogue: Catalogue,
    size: int = 96,
    batch: int = 32,
    device: str = "cpu",
    *,
    rounds: int = 5,
    threads: int = 1,
    compile: bool = False,
) -> list[TrunkRow]:
    """Measure trunks given as ``NAME`` or ``NAME,key=value,…``, in turns; weights from one seed, images random.

    Raises:
        UsageError: no names, an unknown name, or one given twice.
    """
    if not names or len(set(names)) != len(names):
        raise UsageError(f"trunks to measure: {list(names)}; give at least one, each once")
    modules: dict[str, nn.Module] = {}
    for name in names:
        torch.manual_seed(0)
        modules[name] = cast(nn.Module, build_trunk(catalogue.configure("trunk", parse_trunk(name))))
    place = device_of(device)
    with cpu_threads(threads), plugin_code(f"measuring {', '.join(names)} with {batch} images of {size} px"):
        return measure(modules, size, batch, place, rounds, compile)


def measure(
    trunks: Mapping[str, nn.Module], size: int, batch: int, device: torch.device, rounds: int, compile: bool = False
) -> list[TrunkRow]:
    """Measure built trunks on random square images in channels_last memory."""
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    one = images[:1].contiguous(memory_format=torch.channels_last)  # (1, 3, size, size)
    counts = {name: (count_parameters(trunk), count_multiply_adds(trunk, size)) for name, trunk in trunks.items()}
    runs = {name: _on_device(trunk, device, compile) for name, trunk in trunks.items()}
    steps = {name: train_step(run, images) for name, run in runs.items()}
    train = in_turns(steps, device, rounds)
    peaks = {name: peak_bytes(step, device) for name, step in steps.items()}
    forward = in_turns({name: evaluation(run, images) for name, run in runs.items()}, device, rounds)
    latency = in_turns({name: evaluation(run, one) for name, run in runs.items()}, device, rounds, LATENCY_REPEATS)
    return [TrunkRow(n, *counts[n], forward[n], latency[n], train[n], peaks[n]) for n in trunks]


def _on_device(trunk: nn.Module, device: torch.device, compile: bool) -> nn.Module:
    trunk.to(device)
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub leaves the argument out
    return compiled(trunk) if compile else trunk


def train_step(trunk: nn.Module, images: Tensor) -> Work:
    """One optimiser step on the mean of the feature map."""
    optimiser = torch.optim.AdamW(trunk.parameters(), lr=1e-5, fused=True)

    def step() -> None:
        trunk.train()
        trunk(images).mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def evaluation(trunk: nn.Module, images: Tensor) -> Work:
    """One forward pass in evaluation mode, without gradient."""

    def run() -> None:
        trunk.eval()
        with torch.no_grad():
            trunk(images)

    return run


def as_table(rows: Sequence[TrunkRow]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and cells of the table that people read: each figure, and its ratio to the first trunk."""
    columns = ("trunk", "parameters", "multiply-adds", "forward", "batch 1", "train step", "peak memory")
    return columns, [_cells(row, rows[0]) for row in rows]


def _cells(row: TrunkRow, first: TrunkRow) -> tuple[str, ...]:
    times = row.ratios(first)
    return (
        row.name,
        f"{row.parameters / 1e6:.2f} M ({times['parameters']:.2f})",
        f"{row.multiply_adds / 1e9:.3f} G ({times['multiply_adds']:.2f})",
        f"{row.forward * 1e3:.1f} ms ({times['forward']:.2f})",
        f"{row.latency * 1e3:.2f} ms ({times['latency']:.2f})",
        f"{row.train_step * 1e3:.1f} ms ({times['train_step']:.2f})",
        f"{row.peak_bytes / 2**20:.0f} MiB ({times['peak_bytes']:.2f})",
    )
