"""Which samples a step sees, and gathering them ahead of time. The batch of step t is a function of (seed, t)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from trunkzoo.errors import DataError
from trunkzoo.nn.draws import sample_seeds
from trunkzoo.plugin.contract import SEED_KEY

Batch = dict[str, Tensor]
_SHUFFLE = -1  # separates the hash that shuffles from the hash that seeds samples


class Span(Protocol):
    """An episode: its windows have the numbers ``start`` to ``stop`` − 1."""

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...


class Windows(Protocol):
    """Indexed training windows."""

    @property
    def stats(self) -> Mapping[str, Any]: ...

    @property
    def images(self) -> Mapping[str, str]:
        """Camera → a hash of what decides its pixels."""
        ...

    @property
    def episodes(self) -> Sequence[Span]: ...

    def __len__(self) -> int: ...

    def gather(self, indices: Tensor) -> Batch:
        """The windows of ``indices`` (B,) int64, stacked; safe to call from several threads."""
        ...


class Sampler:
    """Random order without replacement, epoch after epoch, without any state to store."""

    def __init__(self, seed: int, windows: int, batch_size: int) -> None:
        if windows == 0:
            raise DataError("the dataset holds no training window; record at least one episode")
        self.seed, self.windows, self.batch_size = seed, windows, batch_size
        self._orders: dict[int, Tensor] = {}

    def indices(self, step: int) -> Tensor:
        """Window numbers (batch_size,) of a step."""
        positions = torch.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs = positions // self.windows
        span = range(int(epochs[0]), int(epochs[-1]) + 1)
        return torch.cat([self._order(epoch)[positions[epochs == epoch] % self.windows] for epoch in span])

    def seeds(self, step: int) -> Tensor:
        """Sample seeds (batch_size,) of a step."""
        return sample_seeds(self.seed, step, torch.arange(self.batch_size))

    def _order(self, epoch: int) -> Tensor:
        order = self._orders.get(epoch)
        if order is None:
            order = sample_seeds(self.seed, _SHUFFLE, epoch, torch.arange(self.windows)).argsort()
            # a batch may begin in the epoch before
            self._orders = {epoch: order, **{e: o for e, o in self._orders.items() if e >= epoch - 1}}
        return order


class Loader:
    """Batches of consecutive steps, gathered ahead by threads; iterating measures how long the consumer waits."""

    def __init__(
        self, windows: Windows, sampler: Sampler, share: slice, parts: int, workers: int, pinned: bool = False
    ) -> None:
        """``share`` is this process's part of every batch; each batch comes as a list of ``parts`` equal parts.

        ``pinned`` batches lie in memory that a GPU copies from while the host goes on.
        """
        self._windows, self._sampler, self._share, self._parts = windows, sampler, share, parts
        self._workers, self._pinned = workers, pinned
        self.waited = 0.0
        """Seconds spent waiting for data so far."""

    def indices(self, step: int) -> list[int]:
        """Window numbers of a whole step, over all processes."""
        return [int(index) for index in self._sampler.indices(step)]

    def steps(self, start: int, stop: int) -> Iterator[list[Batch]]:
        """The batches of steps ``start`` to ``stop`` − 1 in order."""
        if self._workers == 0:
            for step in range(start, stop):
                yield self._timed(partial(self._gather, step))
            return
        with ThreadPoolExecutor(self._workers, "gather") as pool:
            ahead: deque[Future[list[Batch]]] = deque()
            try:
                for step in range(start, stop):
                    while len(ahead) <= self._workers and step + len(ahead) < stop:
                        ahead.append(pool.submit(self._gather, step + len(ahead)))
                    yield self._timed(ahead.popleft().result)
            finally:
                for future in ahead:
                    future.cancel()

    def _timed(self, fetch: Callable[[], list[Batch]]) -> list[Batch]:
        start = time.perf_counter()
        parts = fetch()
        self.waited += time.perf_counter() - start
        return parts

    def _gather(self, step: int) -> list[Batch]:
        indices = self._sampler.indices(step)[self._share]
        seeds = self._sampler.seeds(step)[self._share]
        pairs = zip(indices.chunk(self._parts), seeds.chunk(self._parts), strict=True)
        parts = [{**self._windows.gather(part), SEED_KEY: part_seeds} for part, part_seeds in pairs]
        return [{key: value.pin_memory() for key, value in part.items()} for part in parts] if self._pinned else parts
