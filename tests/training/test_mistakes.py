"""What goes wrong in a run, and what it says."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor

from tiny import TinyWindows, TrainTiny
from trunkzoo.agent.assemble import assemble
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.errors import CheckpointError, TrainingError, UsageError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.registry.train_config import TrainConfig
from trunkzoo.training.config import RunConfig
from trunkzoo.training.directory import open_run
from trunkzoo.training.loop import train_on
from trunkzoo.training.step import Learner


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    """An accelerator of the CPU whose process-wide state ends with the test; another run may want another precision."""
    yield Accelerator(cpu=True)
    AcceleratorState._reset_state(reset_partial_state=True)


def test_nonfinite_loss_names_step_windows_and_checkpoint(tiny_run: TrainTiny, tiny_windows: TinyWindows) -> None:
    tiny_run(steps=4)
    tiny_windows.spoil(math.nan)
    with pytest.raises(TrainingError, match=r"loss nan.* at step 4, on windows (\d+, ){3}\d+;.*step-000004"):
        tiny_run(steps=8, resume=True)


def test_skipped_steps_move_nothing(tiny_run: TrainTiny, tiny_windows: TinyWindows) -> None:
    before = load_file(tiny_run(steps=4).checkpoint / "training_state.safetensors")
    tiny_windows.spoil(math.nan)
    result = tiny_run(steps=6, resume=True, skip_nonfinite=2)
    after = load_file(result.checkpoint / "training_state.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert result.metrics["skipped"] == 2


def test_skipped_steps_leave_batch_norm_alone(
    tiny_recipe: Recipe, tiny_windows: TinyWindows, tiny_catalogue: Catalogue, accelerator: Accelerator
) -> None:
    agent = assemble(resolve(tiny_recipe, tiny_catalogue))
    agent.fit_normalizers(tiny_windows.stats)
    agent.encoder.trunks[0].norm = torch.nn.BatchNorm2d(8)
    config = tiny_recipe.train.model_copy(update={"skip_nonfinite": 1})
    learner = Learner(agent, config, 0, accelerator)
    before = {key: value.clone() for key, value in agent.state_dict().items()}
    batch = {**tiny_windows.gather(torch.arange(4)), "seed": torch.arange(4)}
    assert not learner.step(0, [{**batch, "action": batch["action"] * math.nan}], stop=False).finite
    assert all(torch.equal(value, before[key]) for key, value in agent.state_dict().items())
    assert learner.step(0, [batch], stop=False).finite
    assert agent.encoder.trunks[0].norm.num_batches_tracked == 1


def test_more_nonfinite_steps_than_tolerated(tiny_run: TrainTiny, tiny_windows: TinyWindows) -> None:
    tiny_windows.spoil(math.nan)
    with pytest.raises(TrainingError, match="at step 1"):
        tiny_run(skip_nonfinite=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_finishes_the_step_and_saves(
    tiny_run: TrainTiny, tiny_windows: TinyWindows, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    gather, calls, before = tiny_windows.gather, [], signal.getsignal(number)

    def interrupt(indices: Tensor) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), number)
        return gather(indices)

    monkeypatch.setattr(tiny_windows, "gather", interrupt)
    result = tiny_run(workers=0)
    assert (result.signal, result.step) == (number, 3)
    assert result.checkpoint.is_dir()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("echo_seconds", "code"), [(60.0, None), (0.0, 143)])
def test_an_echo_of_the_signal_does_not_keep_it_from_saving(
    tiny_run: TrainTiny,
    tiny_windows: TinyWindows,
    monkeypatch: pytest.MonkeyPatch,
    echo_seconds: float,
    code: int | None,
) -> None:
    """A terminal's Ctrl-C reaches torchrun and its processes, and torchrun then sends these a SIGTERM."""
    monkeypatch.setattr("trunkzoo.system.signals._ECHO_SECONDS", echo_seconds)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    gather, calls = tiny_windows.gather, []

    def interrupt(indices: Tensor) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        return gather(indices)

    monkeypatch.setattr(tiny_windows, "gather", interrupt)
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, before)
        left = stack.enter_context(pytest.raises(SystemExit)) if code else None
        result = tiny_run(workers=0)
        assert (result.signal, result.step) == (signal.SIGINT, 3)
    assert left is None or left.value.code == code


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_before_the_first_step_ends_at_once(
    tiny_recipe: Recipe, tiny_catalogue: Catalogue, tmp_path: Path, number: signal.Signals, raised: type[BaseException]
) -> None:
    before = signal.getsignal(number)

    def interrupt() -> NoReturn:
        os.kill(os.getpid(), number)
        pytest.fail("went on")

    config = RunConfig(recipe=tiny_recipe, data=tmp_path, output=tmp_path / "run")
    recipe = resolve(tiny_recipe, tiny_catalogue)
    with pytest.raises(raised) as caught:
        train_on(config, recipe, interrupt)
    assert number == signal.SIGINT or (isinstance(caught.value, SystemExit) and caught.value.code == 143)
    assert signal.getsignal(number) is before


def test_existing_directory_is_refused(tiny_run: TrainTiny, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="already exists; resume it"):
        tiny_run()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_nothing_to_resume(tiny_run: TrainTiny) -> None:
    with pytest.raises(UsageError, match="no run to resume"):
        tiny_run(resume=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recipe": 1, "seed": 0, "data": 2, "sessions": []}'])
def test_damaged_run_json(tiny_run: TrainTiny, text: str) -> None:
    output = tiny_run(steps=4).output
    (output / "run.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"run\.json is damaged"):
        tiny_run(steps=8, resume=True)


def test_damaged_newest_checkpoint_says_how_to_go_on(tiny_run: TrainTiny) -> None:
    result = tiny_run(steps=8)
    state = result.checkpoint / "training_state.safetensors"
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=rf"cut short.* once {result.checkpoint} is moved away"):
        tiny_run(steps=8, resume=True)


@pytest.mark.parametrize("line", [b"\xff\n", b"[1]\n", b'{"a": 1}\n'])
def test_lines_of_metrics_that_are_no_rows_are_dropped_on_resume(tiny_run: TrainTiny, line: bytes) -> None:
    output = tiny_run(steps=4).output
    rows = (output / "metrics.jsonl").read_bytes()
    (output / "metrics.jsonl").write_bytes(rows + line)
    tiny_run(steps=8, resume=True)
    assert (output / "metrics.jsonl").read_bytes().startswith(rows + b'{"step": 6')


def _hold(path: Path, file: str, held: Event, done: Event) -> None:
    with open_run(path, resume=False):
        (path / file).touch()
        held.set()
        done.wait(30)


@pytest.mark.parametrize("file", [".lock", "run.json"], ids=["before its first word", "begun"])
def test_two_trainings_in_one_directory(file: str, tiny_run: TrainTiny, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "run", file, held, done))
    other.start()
    assert held.wait(30)
    try:
        with pytest.raises(UsageError, match=rf"another training \(process {other.pid}\) writes to"):
            tiny_run()
    finally:
        done.set()
        other.join()
    (tmp_path / "run" / "run.json").unlink(missing_ok=True)
    tiny_run(steps=1)  # the lock is gone with its owner


def test_batch_that_does_not_divide() -> None:
    with pytest.raises(ValueError, match="batch_size 4 does not divide into accumulate = 3 parts"):
        TrainConfig(batch_size=4, accumulate=3)


def test_unwritable_directory(tiny_run: TrainTiny, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="is not writable"):
            tiny_run()
        return
    os.seteuid(65534)  # root may write anywhere, so act as nobody
    try:
        with pytest.raises(UsageError, match="is not writable"):
            tiny_run()
    finally:
        os.seteuid(0)


def test_small_crop_is_warned_of(
    tiny_recipe: Recipe, tiny_windows: TinyWindows, tiny_catalogue: Catalogue, tmp_path: Path
) -> None:
    encoder = tiny_recipe.encoder.model_copy(update={"crop": (8, 4)})
    recipe = tiny_recipe.model_copy(update={"encoder": encoder, "train": TrainConfig(steps=1, batch_size=2)})
    config = RunConfig(recipe=recipe, data=tmp_path, output=tmp_path / "run", device="cpu")
    with pytest.warns(UserWarning, match="keeps 12% of"):
        train_on(config, resolve(config.recipe, tiny_catalogue), lambda: tiny_windows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_absent_gpu(tiny_recipe: Recipe, tiny_windows: TinyWindows, tiny_catalogue: Catalogue, tmp_path: Path) -> None:
    config = RunConfig(recipe=tiny_recipe, data=tmp_path, output=tmp_path / "run", device="cuda")
    with pytest.raises(UsageError, match="sees no GPU"):
        train_on(config, resolve(config.recipe, tiny_catalogue), lambda: tiny_windows)
