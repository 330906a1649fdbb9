"""Latency of one prediction of an agent, split into trunks, the rest of the encoder, and the head; of an export whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, cast

import torch
from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.compiled import compile_acting
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.bench.clock import cpu_threads
from trunkzoo.errors import UsageError
from trunkzoo.export.acting import ExportedAgent, load_export
from trunkzoo.registry.resolved import ResolvedRecipe
from trunkzoo.system.devices import device_of

Clock = Callable[[], float]
PARTS = ("trunk", "encoder", "head")


@dataclass(frozen=True)
class Latency:
    """Seconds of one part of a prediction."""

    median: float
    p95: float


@dataclass(frozen=True)
class AgentRow:
    """One agent at one batch size. CPU time of the process, or wall time on a GPU."""

    recipe: str
    batch: int
    trunk: Latency | None  # the image networks of all cameras; None for an export, which is one graph
    encoder: Latency | None  # normalisation, keypoints, projection
    head: Latency | None  # one action chunk from the condition vector
    total: Latency

    @property
    def head_share(self) -> float | None:
        """The head's part of the median prediction; None for an export."""
        if self.trunk is None or self.encoder is None or self.head is None:
            return None
        return self.head.median / (self.trunk.median + self.encoder.median + self.head.median)


def bench_agent(
    recipes: Sequence[ResolvedRecipe],
    batches: Sequence[int] = (1, 8),
    device: str = "cpu",
    *,
    rounds: int = 20,
    threads: int = 1,
    compile: bool = False,
    exports: Sequence[str | Path] = (),
) -> list[AgentRow]:
    """Measure predictions of fresh agents, and of exported ones on the CPU, on random observations, in turns (A B A B).

    Raises:
        UsageError: neither recipes nor exports, or fewer than two rounds.
    """
    if not (recipes or exports) or rounds < 2:
        raise UsageError(
            f"{len(recipes)} recipes, {rounds} rounds: a measurement needs at least one recipe, two rounds"
        )
    place = device_of(device)
    agents: list[Agent | ExportedAgent] = [_on_device(assemble(recipe), place, compile) for recipe in recipes]
    agents += [load_export(path, threads) for path in exports]
    with cpu_threads(threads):
        return [row for batch in batches for row in measure(agents, batch, rounds)]


def measure(agents: Sequence[Agent | ExportedAgent], batch: int, rounds: int) -> list[AgentRow]:
    """Measure built agents at one batch size, after two rounds of warm-up."""
    times: list[list[tuple[float, ...]]] = [[] for _ in agents]
    works = [(agent, *_inputs(agent, batch)) for agent in agents]
    split: tuple[float, ...]
    for number in range(rounds + 2):
        for splits, (agent, obs, noise) in zip(times, works, strict=True):
            if isinstance(agent, ExportedAgent):
                split = _predict_whole(agent, obs, noise)
            else:
                split = predict_in_parts(agent, obs, noise)
            if number >= 2:
                splits.append(split)
    return [_row(agent, batch, splits) for agent, splits in zip(agents, times, strict=True)]


def _row(agent: Agent | ExportedAgent, batch: int, splits: Sequence[tuple[float, ...]]) -> AgentRow:
    found = [_latency(part) for part in zip(*((*split, sum(split)) for split in splits), strict=True)]
    if isinstance(agent, ExportedAgent):
        return AgentRow(f"{agent.record.recipe['name']} in onnxruntime", batch, None, None, None, found[-1])
    trunk, encoder, head, total = found
    return AgentRow(agent.recipe.name, batch, trunk, encoder, head, total)


def _predict_whole(agent: ExportedAgent, obs: Mapping[str, Tensor], noise: Tensor) -> tuple[float, ...]:
    now = _clock(agent.device)
    start = now()
    agent.predict(obs, noise)
    return (now() - start,)


@torch.no_grad()
def predict_in_parts(agent: Agent, obs: Mapping[str, Tensor], noise: Tensor) -> tuple[float, float, float]:
    """Seconds in the trunks, in the rest of the encoder and in the head, for one chunk."""
    now = _clock(agent.device)
    with _trunk_marks(agent, now) as marks:
        start = now()
        cond = agent.condition(obs)
        encoded = now()
        cast(Any, agent.head).sample(cond, noise)
        end = now()
    trunk = sum(marks)
    return trunk, encoded - start - trunk, end - encoded


@contextmanager
def _trunk_marks(agent: Agent, now: Clock) -> Iterator[list[float]]:
    """A list that fills with −start and +end of every trunk pass: its sum is the time inside."""
    marks: list[float] = []
    hooks = []
    for trunk in agent.encoder.trunks:
        hooks.append(trunk.register_forward_pre_hook(lambda *_: marks.append(-now())))
        hooks.append(trunk.register_forward_hook(lambda *_: marks.append(now())))
    try:
        yield marks
    finally:
        for hook in hooks:
            hook.remove()


def _clock(device: torch.device) -> Clock:
    if device.type == "cpu":
        return time.process_time

    def after_all_kernels() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return after_all_kernels


def _on_device(agent: Agent, device: torch.device, compile: bool) -> Agent:
    agent.fit_normalizers(unit_statistics(agent.contract))
    agent.to(device).eval()
    agent.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub leaves it out
    return compile_acting(agent) if compile else agent


def _inputs(agent: Agent | ExportedAgent, batch: int) -> tuple[dict[str, Tensor], Tensor]:
    contract = agent.contract
    obs = {key: value.to(agent.device) for key, value in random_batch(contract, batch).items()}
    return obs, random_noise(contract, batch).to(agent.device)


def _latency(seconds: Sequence[float]) -> Latency:
    return Latency(median(seconds), quantiles(seconds, n=20, method="inclusive")[-1])


def as_table(rows: Sequence[AgentRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and cells of the table that people read; times in milliseconds, median and 95th percentile."""
    columns = ("recipe", "batch", "trunk", "encoder", "head", "total", "head's share")
    return columns, [
        (
            row.recipe,
            str(row.batch),
            *(_cell(getattr(row, part)) for part in (*PARTS, "total")),
            "–" if row.head_share is None else f"{row.head_share:.0%}",
        )
        for row in rows
    ]


def _cell(latency: Latency | None) -> str:
    if latency is None:
        return "–"
    return f"{latency.median * 1e3:.1f} / {latency.p95 * 1e3:.1f} ms"
