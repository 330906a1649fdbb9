"""The training run: from a configuration to a run directory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.checkpoint.load import continue_agent
from trunkzoo.checkpoint.transfer import require_no_initial
from trunkzoo.data import open_dataset
from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe
from trunkzoo.registry.train_config import TrainConfig
from trunkzoo.system.devices import device_of, float32_products
from trunkzoo.system.progress import Bars
from trunkzoo.system.signals import stop_requests
from trunkzoo.training.batches import Loader, Sampler, Windows
from trunkzoo.training.config import RunConfig, TrainResult
from trunkzoo.training.directory import RunDirectory, check_same_run, flat, open_run
from trunkzoo.training.metrics import MetricsLog
from trunkzoo.training.peers import together
from trunkzoo.training.probes import Holdout
from trunkzoo.training.provenance import facts_of, session_of
from trunkzoo.training.session import Session
from trunkzoo.training.start import begin_from, start_facts
from trunkzoo.training.state import Progress, restore
from trunkzoo.training.step import Learner
from trunkzoo.training.trackers import Trackers

_SMALL_CROP = 0.25  # share of the image's pixels; a centre crop below it tends to lose the object


def train(run: RunConfig, recipe: ResolvedRecipe) -> TrainResult:
    """Train the recipe of ``run``, resolved, on its data. A killed run continues with ``resume``, on a CPU bit-equal.

    Under ``torchrun`` every process calls this; the first one writes.

    Raises:
        UsageError: the run directory is in use, exists, or belongs to other settings, or there is nothing to do.
        DataError, ContractError: the data are damaged or do not fit the recipe.
        TrainingError: a loss is not finite.
        DiskError, CheckpointError: nothing can be written; what is resumed is damaged.
    """
    return train_on(run, recipe, lambda: open_dataset(run.data, recipe.recipe.contract, run.cameras))


def train_on(run: RunConfig, resolved: ResolvedRecipe, open_windows: Callable[[], Windows]) -> TrainResult:
    """Train on the windows that a function opens, in place of the dataset at ``run.data``; otherwise :func:`train`."""
    recipe = resolved.recipe
    _warn_of_small_crop(recipe)
    with (
        stop_requests() as request,
        _accelerator(run, recipe.train) as accelerator,
        together(accelerator),
        _torch_state(run, recipe.train, accelerator),
        _directory(run, accelerator) as directory,  # before the data, whose first use may take minutes
    ):
        windows = open_windows()
        share = _share(recipe.train, accelerator)
        facts = facts_of(run, recipe, windows, start_facts(run))
        if run.resume and accelerator.is_main_process:
            check_same_run(run.output, facts, resolved.parts)
        agent, learner, progress = _learner(run, resolved, windows, directory, accelerator, facts.get("start"))
        _check_end(run, recipe.train.steps, progress.step)
        log = None
        if accelerator.is_main_process:
            trackers = Trackers(run.track, directory.path, flat(facts)) if run.track else None
            log = MetricsLog(directory.path, progress.step, run.tensorboard, trackers)
            where = str(accelerator.device), accelerator.num_processes, run.threads
            directory.record(facts, session_of(progress.step, *where))
        held = recipe.train.holdout_episodes
        holdout = Holdout(windows, held) if held else None
        sampler = Sampler(run.seed, holdout.first if holdout else len(windows), recipe.train.batch_size)
        on_gpu = accelerator.device.type == "cuda"
        loader = Loader(windows, sampler, share, recipe.train.accumulate, recipe.train.workers, pinned=on_gpu)
        session = Session(agent, learner, loader, directory, progress, holdout, log)
        try:
            result = session.run(run.stop_at, request, run.progress)
        finally:
            if log:
                log.finish()
        accelerator.wait_for_everyone()
        return result


def _learner(
    run: RunConfig,
    recipe: ResolvedRecipe,
    windows: Windows,
    directory: RunDirectory,
    accelerator: Accelerator,
    start: dict[str, Any] | None,
) -> tuple[Agent, Learner, Progress]:
    """A fresh agent, from other weights if it has a start, or that of the newest checkpoint with its training state."""
    config = recipe.recipe.train
    saved = directory.latest() if run.resume else None
    if saved is None:
        agent = assemble(recipe, run.seed)
        agent.fit_normalizers(windows.stats)
        if start:
            require_no_initial(recipe, start["parts"])
            taken = begin_from(agent, start, run.output)
            Bars(quiet=not (run.progress and accelerator.is_main_process)).say("\n".join(taken))
        return agent, Learner(agent, config, run.seed, accelerator), Progress()
    try:
        agent = continue_agent(saved[1], recipe)  # the settings that may change on resume are those of now
        learner = Learner(agent, config, run.seed, accelerator)
        return agent, learner, restore(learner, saved[1])
    except CheckpointError as error:
        raise CheckpointError(f"{error}. An older checkpoint is resumed once {saved[1]} is moved away") from error


def _check_end(run: RunConfig, steps: int, done: int) -> None:
    """Refuse an end that lies behind, or a stop that would never come."""
    if steps < done:
        raise UsageError(
            f"{run.output} has done {done} steps already, more than train.steps {steps}; raise it", ["train.steps"]
        )
    if run.stop_at is not None and not done <= run.stop_at <= steps:
        raise UsageError(f"stop_at {run.stop_at} is not among the steps {done} to {steps} that are left", ["stop_at"])


@contextmanager
def _directory(run: RunConfig, accelerator: Accelerator) -> Iterator[RunDirectory]:
    """The run directory; the main process holds its lock."""
    if not accelerator.is_main_process:
        accelerator.wait_for_everyone()
        yield RunDirectory(run.output)
        return
    with open_run(run.output, run.resume) as directory:
        accelerator.wait_for_everyone()
        yield directory


@contextmanager
def _accelerator(run: RunConfig, config: TrainConfig) -> Iterator[Accelerator]:
    """An accelerator whose process-wide state ends with the run, so that the next run may differ in precision."""
    on_cpu = not torch.cuda.is_available()
    if run.device != "auto":
        device = device_of(run.device)
        on_cpu = device.type == "cpu"
        if device.index is not None:
            torch.cuda.set_device(device)
    # an accelerator of the caller shares this state: then it is not ours to reset
    borrowed = bool(PartialState._shared_state)
    precision = "bf16" if config.precision == "bf16" else "no"
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
    try:
        yield accelerator
    finally:
        if not borrowed:
            accelerator.end_training()
            AcceleratorState._reset_state(reset_partial_state=True)


@contextmanager
def _torch_state(run: RunConfig, config: TrainConfig, accelerator: Accelerator) -> Iterator[None]:
    """Leave torch's random state and thread count as they were found."""
    before = torch.get_num_threads()
    try:
        if run.threads is not None:
            torch.set_num_threads(run.threads)
        devices = [accelerator.device] if accelerator.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), float32_products(tf32=config.precision == "tf32"):
            yield
    finally:
        torch.set_num_threads(before)


def _share(config: TrainConfig, accelerator: Accelerator) -> slice:
    """This process's positions in every batch.

    Raises:
        UsageError: the batch does not divide evenly, so means over parts would not be means over the batch.
    """
    processes, rank = accelerator.num_processes, accelerator.process_index
    size, rest = divmod(config.batch_size, processes * config.accumulate)
    if rest:
        raise UsageError(
            f"train.batch_size {config.batch_size} does not divide by {processes} processes × "
            f"train.accumulate {config.accumulate}; change one of them"
        )
    own = size * config.accumulate
    return slice(rank * own, (rank + 1) * own)


def _warn_of_small_crop(recipe: Recipe) -> None:
    crop, size = recipe.encoder.crop, recipe.contract.image_size
    kept = crop[0] * crop[1] / (size[0] * size[1]) if crop else 1.0
    if kept < _SMALL_CROP:
        warnings.warn(
            f"encoder.crop {crop} keeps {kept:.0%} of a {size} image: evaluation will see its centre only",
            UserWarning,
            stacklevel=3,
        )
