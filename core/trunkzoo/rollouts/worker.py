"""The worker process: one environment, one policy, one thread, episodes one after another.

This module imports nothing heavy: the thread limits must be set before numpy and torch are loaded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.errors import ZooError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.episode import run_episode
from trunkzoo.rollouts.job import EpisodeResult, Item, Job
from trunkzoo.system.processes import begin_worker

if TYPE_CHECKING:
    from trunkzoo.plugin.protocols import Policy, Task
    from trunkzoo.rollouts.episode import Recorder

ALIVE_EVERY = 2.0  # seconds


@dataclass(frozen=True)
class Done:
    """An episode has ended, with this result."""

    episode: EpisodeResult
    latencies: tuple[float, ...]
    """Milliseconds per chunk."""


@dataclass(frozen=True)
class Failed:
    """An episode failed; ``final`` if it would fail again in any worker, as a wrong request does."""

    message: str
    final: bool


@dataclass(frozen=True)
class Alive:
    """Sign of life: the episode is still running."""


def main(connection: Connection, log: Path) -> None:
    """Run the items that arrive until None does; what the simulator prints goes to ``log``."""
    begin_worker(log)
    runner = EpisodeRunner()
    try:
        while (item := connection.recv()) is not None:
            connection.send(_attempt(runner, item, connection))
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone, and nobody waits for this episode
    finally:
        runner.close()


def _attempt(runner: EpisodeRunner, item: Item, connection: Connection) -> Done | Failed:
    """Play one item. Anything but a ZooError ends the process: its traceback is the log's last line."""
    try:
        return runner.play(item, connection)
    except ZooError as error:
        return Failed(str(error), final=True)


class Heartbeat:
    """Tells the parent that the episode is not hung, at most every two seconds."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._last = connection, time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last > ALIVE_EVERY:
            self._connection.send(Alive())
            self._last = time.monotonic()


class EpisodeRunner:
    """The environment and the policy of the last item, kept while the next item needs the same."""

    def __init__(self) -> None:
        self._catalogue: Catalogue | None = None
        self._job: Job | None = None
        self._task: Task | None = None
        self._policy: Policy | None = None

    def play(self, item: Item, connection: Connection) -> Done:
        """Run one episode; ``connection`` gets signs of life, and frames if somebody watches."""
        # at the first episode: then what is wrong with a plugin is told as that episode's failure
        catalogue = self._catalogue = self._catalogue or _open_catalogue()
        task, policy = self._prepare(item.job, catalogue)
        alive, watching = Heartbeat(connection), _watching(item, connection)
        if item.video is None:
            episode = run_episode(task, policy, item.seed, item.job.max_steps, alive, watching)
        else:
            from trunkzoo.rollouts.film import film

            fps = catalogue.task(item.job.task.name).spec.fps
            episode = film(task, policy, item, fps, alive, watching)
        return Done(episode, tuple(policy.latencies))

    def _prepare(self, job: Job, catalogue: Catalogue) -> tuple[Task, Policy]:
        if self._task is None or self._job is None or self._job.task != job.task:
            self.close()
            self._task = make_task(catalogue.configure("task", job.task))
        if self._policy is None or self._job != job:
            from trunkzoo.rollouts.policies import make_policy

            self._close_policy()
            self._policy = make_policy(job, catalogue)
        self._job = job
        return self._task, self._policy

    def close(self) -> None:
        """Close the environment and the policy, if there are any."""
        self._close_policy()
        if self._task is not None:
            self._task.close()
            self._task = None

    def _close_policy(self) -> None:
        if self._policy is not None:
            self._policy.close()
            self._policy = None


def _watching(item: Item, connection: Connection) -> list[Recorder]:
    if not item.live:
        return []
    from trunkzoo.rollouts.live import Broadcast

    return [Broadcast(connection, item.seed)]


def _open_catalogue() -> Catalogue:
    return open_zoo().catalogue
