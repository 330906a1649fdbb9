"""Record scripted demonstrations of a task as a LeRobot dataset.

What is stored depends on the task, its settings, the noise and the first seed, never on the number of workers:
episodes are written in the order of their seeds, and a seed whose demonstration fails is replaced by a later one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.part import Configured, Part
from trunkzoo.catalogue.tasks import contract_of, expert_commands, make_task
from trunkzoo.errors import TaskError, UsageError
from trunkzoo.plugin.protocols import Task
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS
from trunkzoo.system.files import refuse_existing
from trunkzoo.system.processes import begin_worker, worker_start

if TYPE_CHECKING:
    from numpy.typing import NDArray

CORRELATION = 0.9
"""Of the command noise from one step to the next; white noise would be smoothed away by the robot's inertia."""
_NOISE_STREAM = 2  # keeps the noise apart from the scene and the expert, which draw from the same episode seed
_PATIENCE = (10, 3)  # give up after 10 + 3 × episodes failed demonstrations


@dataclass(frozen=True)
class Demonstration:
    """One episode, before it is written."""

    seed: int
    frames: dict[str, NDArray[Any]]
    """Feature → values over time: images (T, H, W, 3) uint8, state (T, S) and the clean commands (T, A) float32."""
    first_success: int | None
    """The step at which the task's own rule was first met; None for a failed demonstration."""


@dataclass(frozen=True)
class Collected:
    """What a collection recorded."""

    directory: Path
    seeds: tuple[int, ...]
    failed_seeds: tuple[int, ...]
    frames: int


def collect(
    task: Configured[TaskSpec[Any]],
    episodes: int,
    output: str | Path,
    *,
    first_seed: int = DEMONSTRATION_SEEDS,
    noise: float = 1.0,
    workers: int = 2,
    video: bool = False,
    on_episode: Callable[[Demonstration], None] = lambda _: None,
) -> Collected:
    """Record ``episodes`` successful demonstrations of ``task`` into the new directory ``output``.

    While the expert states a tolerance, noise is added to what the robot executes, but the clean command is what is
    stored: so the data show how to come back from small errors, without which imitation drifts off. ``noise`` scales
    it: 1 is what the expert says it survives. ``on_episode`` is called for every attempt, failed ones too.

    Raises:
        UsageError: ``output`` exists, or a number is out of range.
        TaskError: the simulator is absent, a worker died, or too many demonstrations failed. Nothing is written.
    """
    from trunkzoo.data.lerobot.writer import LeRobotWriter, task_features

    _check(episodes=episodes, workers=workers, noise=noise, first_seed=first_seed)
    refuse_existing(Path(output))
    spec, part = task.spec, task.as_part()
    features = task_features(contract_of(task), video)
    kept: list[int] = []
    failed: list[int] = []
    with LeRobotWriter(output, features, spec.fps) as writer, _attempts(part, first_seed, noise, workers) as attempts:
        while len(kept) < episodes:
            demo = next(attempts)
            on_episode(demo)
            if demo.first_success is None:
                failed.append(demo.seed)
                _check_patience(spec, episodes, len(kept), len(failed))
                continue
            writer.add_episode(demo.frames, spec.summary, {"seed": demo.seed, "first_success": demo.first_success})
            kept.append(demo.seed)
        writer.origin = _origin(task, noise, tuple(kept), tuple(failed))
    return Collected(Path(output), tuple(kept), tuple(failed), writer.frames)


def demonstrate(task: Task, seed: int, noise: float, step_cap: int) -> Demonstration:
    """Play the expert in the episode of ``seed``, with its tolerated noise × ``noise`` on what is executed.

    Raises:
        TaskError: the expert's actions have the wrong shape, or there are none.
    """
    import numpy as np

    task.reset(seed)
    rng, drift = np.random.default_rng((seed, _NOISE_STREAM)), np.zeros(task.contract.action_dim)
    rows: list[dict[str, NDArray[Any]]] = []
    first_success: int | None = None
    for index, (action, tolerance) in zip(range(step_cap), expert_commands(task, seed), strict=False):
        rows.append({**task.observe(), "action": action})
        drift = CORRELATION * drift + np.sqrt(1 - CORRELATION**2) * rng.standard_normal(drift.shape)
        step = task.step((action + noise * tolerance * drift).astype(np.float32))
        if step.success and first_success is None:
            first_success = index
    if not rows:
        raise TaskError(f"the expert gave no command at all in the episode of seed {seed}; it must act at least once")
    return Demonstration(seed, {key: np.stack([row[key] for row in rows]) for key in rows[0]}, first_success)


@contextmanager
def _attempts(part: Part, first_seed: int, noise: float, workers: int) -> Iterator[Iterator[Demonstration]]:
    """Demonstrations of ``first_seed``, ``first_seed`` + 1, … in that order, made by worker processes."""
    context = get_context("spawn")  # a fork would share the simulator's GL context and threads
    try:
        executor = ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker)
    except OSError as error:
        raise TaskError(f"no worker process can be started ({error.strerror}); is /dev/shm writable?") from None
    try:
        yield _in_order(executor, part, first_seed, noise, workers)
    except BaseException:
        for worker in active_children():
            worker.kill()  # a demonstration takes a minute, and nobody waits for it any more
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _in_order(
    executor: ProcessPoolExecutor, part: Part, first_seed: int, noise: float, workers: int
) -> Iterator[Demonstration]:
    ahead: deque[Future[Demonstration]] = deque()
    seed = first_seed
    while True:
        while len(ahead) < workers + 1:  # one in reserve, so that no worker waits for the writer
            with worker_start():  # a worker may be started for it
                ahead.append(executor.submit(_in_worker, part, seed, noise))
            seed += 1
        try:
            yield ahead.popleft().result()
        except BrokenProcessPool:
            raise TaskError(
                f"a worker process died near seed {seed - workers - 1} of {part.name} (out of memory?); nothing was "
                "written. Try fewer workers."
            ) from None


def _in_worker(part: Part, seed: int, noise: float) -> Demonstration:
    spec, task = _worker_task(part.model_dump_json())
    with plugin_code(f"the demonstration of seed {seed} in task '{part.name}'"):
        return demonstrate(task, seed, noise, spec.demo_steps)


@cache  # one simulator per worker process, built at its first episode
def _worker_task(part: str) -> tuple[TaskSpec[Any], Task]:
    task = open_zoo().catalogue.configure("task", Part.model_validate_json(part))
    return task.spec, make_task(task)


def _check(*, episodes: int, workers: int, noise: float, first_seed: int) -> None:
    for name, value, least in (("episodes", episodes, 1), ("workers", workers, 1), ("first seed", first_seed, 0)):
        if value < least:
            raise UsageError(f"{name} {value}: must be at least {least}")
    if not 0 <= noise < float("inf"):
        raise UsageError(f"noise {noise}: must be 0 or more; 1 is what the expert says it survives")


def _check_patience(spec: TaskSpec[Any], episodes: int, kept: int, failed: int) -> None:
    base, share = _PATIENCE
    if failed > base + share * episodes:
        raise TaskError(
            f"{spec.name}: {failed} of {kept + failed} demonstrations failed, so nothing was written. "
            f"The expert alone is stated to succeed in {spec.expert_success:.0%}; lower the noise?"
        )


def _origin(
    task: Configured[TaskSpec[Any]], noise: float, seeds: tuple[int, ...], failed: tuple[int, ...]
) -> dict[str, Any]:
    """How the data were made: enough to make them again."""
    spec = task.spec
    return {
        "task": task.id,
        "config": task.config.model_dump(mode="json"),
        "expert": "scripted",
        "success_rule": spec.success_rule,
        "noise": noise,
        "noise_correlation": CORRELATION,
        "seeds": seeds,
        "failed_seeds": failed,
        "versions": {name: _version(name) for name in ("trunkzoo", "numpy", *spec.requires)},
    }


def _version(name: str) -> str:
    try:
        return version(name.replace("_", "-"))
    except PackageNotFoundError:
        return "unknown"
