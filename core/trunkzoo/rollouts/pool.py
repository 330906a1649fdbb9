"""A pool of worker processes that loses no episode: a dead or hung worker is replaced and its episode repeated."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from trunkzoo.errors import TaskError
from trunkzoo.rollouts.job import Item
from trunkzoo.rollouts.worker import Alive, Done, Failed, main
from trunkzoo.system.processes import worker_start

if TYPE_CHECKING:
    from trunkzoo.rollouts.live import LiveFrame

ATTEMPTS = 3
STALL_SECONDS = 300.0  # without a sign of life; the first episode also imports and compiles


def run_items(
    items: Sequence[Item], workers: int, stall_seconds: float = STALL_SECONDS
) -> Iterator[tuple[Item, Done | LiveFrame]]:
    """Yield every item with its result, in the order they finish; an item that is live with its frames before that.

    Raises:
        TaskError: an item failed three times, or its request is wrong; the message ends with the worker's last words.
    """
    with tempfile.TemporaryDirectory(prefix="trunkzoo-eval-") as folder:
        pool = Pool(items, min(workers, len(items)), stall_seconds, Path(folder))
        try:
            yield from pool.run()
        finally:
            pool.stop()


class Pool:
    """The scheduler: a queue of items, the attempts made on each, and the workers."""

    def __init__(self, items: Sequence[Item], workers: int, stall_seconds: float, logs: Path) -> None:
        self._waiting = deque(items)
        self._attempts: Counter[Item] = Counter()
        self._stall, self._logs, self._started = stall_seconds, logs, 0
        self._count = workers
        self._workers: list[Worker] = []

    def _start(self) -> Worker:
        self._started += 1
        return Worker(self._logs / f"worker-{self._started}.log")

    def run(self) -> Iterator[tuple[Item, Done | LiveFrame]]:
        """Yield results and frames until no item waits and none is running."""
        while len(self._workers) < self._count:  # one by one: an interrupt meanwhile ends those that are there
            self._workers.append(self._start())
        while self._waiting or any(worker.item for worker in self._workers):
            for worker in self._workers:
                if worker.item is None and self._waiting:
                    worker.give(self._waiting.popleft())
            wait([worker.connection for worker in self._workers if worker.item], timeout=1.0)
            for index, worker in enumerate(self._workers):
                item = worker.item
                if item is None:
                    continue
                answer = worker.poll(self._stall)
                if isinstance(answer, Failed):
                    self._again(item, answer, worker)
                    self._workers[index] = self._start()
                elif answer is not None:
                    yield item, answer

    def _again(self, item: Item, failure: Failed, worker: Worker) -> None:
        words = worker.stop()
        self._attempts[item] += 1
        if failure.final:
            raise TaskError(failure.message)
        if self._attempts[item] >= ATTEMPTS:
            said = f" Its worker's last words: {words}" if words else ""
            raise TaskError(
                f"episode {item.seed} of {item.job.task.name} failed {ATTEMPTS} times, "
                f"the last time: {failure.message}.{said}"
            )
        self._waiting.appendleft(item)  # first again: what is wrong with it shows early

    def stop(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()


class Worker:
    """The parent's side of one worker process."""

    def __init__(self, log: Path) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share the simulator's GL context and threads
        self.connection, theirs = context.Pipe()
        self.item: Item | None = None
        self._log, self._heard = log, time.monotonic()
        self._process = context.Process(target=main, args=(theirs, log), daemon=True)
        with worker_start():
            self._process.start()
        theirs.close()  # so that the pipe ends when the process does

    def give(self, item: Item) -> None:
        """Hand over an item; a worker that died meanwhile is noticed by :meth:`poll`."""
        self.item, self._heard = item, time.monotonic()
        try:
            self.connection.send(item)
        except (BrokenPipeError, ConnectionResetError):
            return

    def poll(self, stall_seconds: float) -> Done | Failed | LiveFrame | None:
        """The result or a frame if there is one; Failed too for a process that died or went silent."""
        try:
            while self.connection.poll():
                self._heard = time.monotonic()
                message: Done | Failed | LiveFrame | Alive = self.connection.recv()
                if not isinstance(message, Alive):
                    self.item = None if isinstance(message, Done) else self.item
                    return message
        except (EOFError, ConnectionResetError):
            self._process.join(5)
            return Failed(f"the worker died (exit code {self._process.exitcode})", final=False)
        if time.monotonic() - self._heard > stall_seconds:
            return Failed(f"no sign of life for {stall_seconds:.0f} s", final=False)
        return None

    def stop(self) -> str:
        """End the process, by force if need be, and return the last line that it printed."""
        self._ask_to_leave()
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()
        lines = self._log.read_text(errors="replace").split("\n") if self._log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _ask_to_leave(self) -> None:
        if self.item is not None:  # in the middle of an episode: it would not listen
            self._process.kill()
            return
        try:
            self.connection.send(None)
        except (BrokenPipeError, ConnectionResetError, OSError):
            return
