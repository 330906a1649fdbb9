"""The parts of training against closed forms, and the rules of a run."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from trunkzoo.checkpoint import load_agent, read_header
from trunkzoo.errors import DataError, TrainingError, UsageError
from trunkzoo.recipe import Recipe
from trunkzoo.training.batches import Loader, Sampler
from trunkzoo.training.config import EmaConfig, TrainConfig
from trunkzoo.training.directory import open_run
from trunkzoo.training.ema import Ema
from trunkzoo.training.loop import fit
from trunkzoo.training.metrics import read_metrics
from trunkzoo.training.optimizer import decayed
from trunkzoo.training.run import RunConfig
from trunkzoo.training.schedule import ema_decay, learning_rate

# ── Batches ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_epoch_sees_every_window_once():
    sampler = Sampler(seed=1, windows=10, batch_size=4)
    drawn = torch.cat([sampler.indices(step) for step in range(5)])  # two epochs of ten
    first, second = drawn[:10], drawn[10:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert first.tolist() != second.tolist()


def test_indices_depend_on_seed_and_step_alone():
    backwards = Sampler(seed=1, windows=10, batch_size=25)
    later = [backwards.indices(step) for step in (7, 3, 0)]
    again = [Sampler(seed=1, windows=10, batch_size=25).indices(step) for step in (7, 3, 0)]
    assert all(torch.equal(a, b) for a, b in zip(later, again, strict=True))
    assert not torch.equal(later[0], Sampler(seed=2, windows=10, batch_size=25).indices(7))


def test_no_window_is_an_error():
    with pytest.raises(DataError, match="no training window"):
        Sampler(seed=0, windows=0, batch_size=1)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_do_not_depend_on_workers_shares_or_parts(tiny_windows, workers):
    sampler = Sampler(seed=0, windows=10, batch_size=8)
    whole = [parts[0] for parts in Loader(tiny_windows, sampler, slice(0, 8), 1, 0).steps(0, 6)]
    shares = [
        list(Loader(tiny_windows, Sampler(0, 10, 8), share, 2, workers).steps(0, 6))
        for share in (slice(0, 4), slice(4, 8))
    ]
    for step, batch in enumerate(whole):
        parts = shares[0][step] + shares[1][step]
        assert all(torch.equal(torch.cat([part[key] for part in parts]), batch[key]) for key in batch)


def test_leaving_the_loader_early_ends_its_threads(tiny_windows):
    import threading

    before = threading.active_count()
    steps = Loader(tiny_windows, Sampler(0, 10, 2), slice(0, 2), 1, 3).steps(0, 1000)
    next(steps)
    steps.close()
    assert threading.active_count() == before


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_learning_rate_warms_up_then_follows_a_cosine():
    config = TrainConfig(steps=110, warmup_steps=10, lr=1.0, final_lr_fraction=0.02)
    assert [learning_rate(step, config) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert learning_rate(60, config) == pytest.approx((1 + 0.02) / 2)
    assert learning_rate(110, config) == pytest.approx(0.02)


def test_ema_decay_is_the_published_one():
    config = EmaConfig(decay_max=0.9999)
    assert ema_decay(0, config) == 0
    assert ema_decay(99, config) == pytest.approx(1 - 100**-0.75)
    assert ema_decay(10**6, config) == 0.9999


def test_ema_averages_parameters_and_leaves_buffers_alone():
    module, config = nn.BatchNorm1d(3), EmaConfig(decay_max=0.9)
    ema, expected = Ema(module, config), torch.zeros(3, dtype=torch.float64)
    for step in range(20):
        with torch.no_grad():
            module.weight.copy_(torch.full((3,), math.sin(step)))
        module(torch.randn(8, 3))
        ema.update()
        decay = min(0.9, 1 - (1 + step) ** -0.75)
        expected = decay * expected + (1 - decay) * math.sin(step)
    weights = ema.weights(module)
    torch.testing.assert_close(weights["weight"].double(), expected, atol=1e-6, rtol=0)
    assert torch.equal(weights["running_mean"], module.running_mean)


def test_matrices_decay_and_nothing_else():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.table = nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Embedding(5, 4)
            self.depth_query = nn.Parameter(torch.zeros(2, 4))
            self.frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)

    assert list(decayed(Net())) == ["conv.weight"]


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(tiny_recipe, tiny_windows, tiny_catalogue, tmp_path):
    """Train with settings changed: ``run(steps=4)``."""

    def train(*, resume=False, output=tmp_path / "run", **settings):
        recipe = Recipe.model_validate(
            {**tiny_recipe.model_dump(), "train": {**tiny_recipe.train.model_dump(), **settings}}
        )
        config = RunConfig(recipe=recipe, data=tmp_path, output=output, resume=resume, device="cpu")
        return fit(config, lambda: tiny_windows, tiny_catalogue)

    return train


def test_training_learns(run):
    result = run(steps=300, lr=3e-3, log_every=50, checkpoint_every=300)
    losses = [row["loss"] for row in read_metrics(result.output)]
    assert losses[-1] < losses[0] / 3


def test_accumulation_equals_the_larger_batch(run, tmp_path):
    whole, parts = (run(output=tmp_path / str(n), accumulate=n) for n in (1, 4))
    for one, other in zip(read_metrics(whole.output), read_metrics(parts.output), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)


def test_metrics_tell_what_happened(run):
    result = run()
    rows = read_metrics(result.output)
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    expected = {"loss", "lr", "grad_norm", "steps_per_second", "data_wait", "memory_mb", "error", "skipped"}
    assert expected <= rows[0].keys()
    assert result.metrics == rows[-1]


def test_model_file_acts_with_the_average(run, tiny_catalogue):
    result = run()
    agent = load_agent(result.output, tiny_catalogue)
    live = load_file(result.checkpoint / "training_state.safetensors")
    assert not torch.equal(agent.head.exit.weight, live["live/head.exit.weight"])
    assert read_header(result.output).step == 8


def test_without_average_the_live_weights_act(run):
    result = run(ema={"enabled": False})
    assert not any(key.startswith("live/") for key in load_file(result.checkpoint / "training_state.safetensors"))


def test_newest_and_best_checkpoints_are_kept(run):
    result = run(steps=12, checkpoint_every=2, keep=2)
    folder = result.output / "checkpoints"
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"step-000010", "step-000012", result.best.name, "last", "best"}
    assert (folder / "last").resolve() == result.checkpoint.resolve()
    assert (folder / "best").resolve() == result.best.resolve()


def test_best_has_the_lowest_mean_loss(run):
    result = run(log_every=4, checkpoint_every=4, steps=16)
    best = min(read_metrics(result.output), key=lambda row: row["loss"])
    assert result.best.name == f"step-{best['step']:06d}"


def test_held_out_episodes_decide_what_is_best(run, tiny_windows, monkeypatch):
    seen, gather = set(), tiny_windows.gather
    monkeypatch.setattr(tiny_windows, "gather", lambda indices: (seen.update(indices.tolist()), gather(indices))[1])
    result = run(holdout_episodes=1, checkpoint_every=2, keep=8, ema={"decay_max": 0.5})
    rows = [row for row in read_metrics(result.output) if "holdout_error" in row]
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    best = min(rows, key=lambda row: row["holdout_error"])
    assert result.best.name == f"step-{best['step']:06d}"
    assert seen == set(range(10))


def test_held_out_windows_are_not_trained_on(tiny_windows):
    from trunkzoo.training.holdout import Holdout

    holdout = Holdout(tiny_windows, 1)
    assert (holdout.first, holdout.indices.tolist()) == (5, [5, 6, 7, 8, 9])
    with pytest.raises(UsageError, match="leaves nothing of 2 episodes"):
        Holdout(tiny_windows, 2)


def test_tensorboard_gets_the_same_numbers(run, tiny_recipe, tiny_windows, tiny_catalogue, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = RunConfig(recipe=tiny_recipe, data=tmp_path, output=tmp_path / "run", device="cpu", tensorboard=True)
    result = fit(config, lambda: tiny_windows, tiny_catalogue)
    events = EventAccumulator(str(result.output / "tensorboard")).Reload()
    logged = [(event.step, event.value) for event in events.Scalars("loss")]
    assert logged == [(row["step"], pytest.approx(row["loss"])) for row in read_metrics(result.output)]


def test_run_records_what_it_was(run):
    import json

    result = run()
    record = json.loads((result.output / "run.json").read_text())
    assert record["recipe"]["head"] == {"name": "tiny/head", "config": {"width": 8}}
    assert record["sessions"][0]["versions"]["torch"] == torch.__version__
    assert record["sessions"][0]["from_step"] == 0


def test_torch_is_left_as_it_was(run):
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    run(steps=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────


def test_nonfinite_loss_names_step_windows_and_checkpoint(run, tiny_windows):
    run(steps=4)
    tiny_windows._all["action"][:] = math.nan
    with pytest.raises(TrainingError, match=r"loss nan.* at step 4, on windows (\d+, ){3}\d+;.*step-000004"):
        run(steps=8, resume=True)


def test_skipped_steps_move_nothing(run, tiny_windows):
    before = load_file(run(steps=4).checkpoint / "training_state.safetensors")
    tiny_windows._all["action"][:] = math.nan
    result = run(steps=6, resume=True, skip_nonfinite=2)
    after = load_file(result.checkpoint / "training_state.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert result.metrics["skipped"] == 2


def test_more_nonfinite_steps_than_tolerated(run, tiny_windows):
    tiny_windows._all["action"][:] = math.nan
    with pytest.raises(TrainingError, match="at step 1"):
        run(skip_nonfinite=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_finishes_the_step_and_saves(run, tiny_windows, monkeypatch, number):
    gather, calls = tiny_windows.gather, []

    def interrupt(indices):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), number)
        return gather(indices)

    monkeypatch.setattr(tiny_windows, "gather", interrupt)
    result = run(workers=0)
    assert (result.signal, result.step) == (number, 3)
    assert result.checkpoint.is_dir()
    assert signal.getsignal(number) is signal.getsignal(number)


def test_existing_directory_is_refused(run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="already exists; continue it with --resume"):
        run()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_nothing_to_resume(run):
    with pytest.raises(UsageError, match="no run to resume"):
        run(resume=True)


def _hold(path, held, done):
    with open_run(path, resume=False):
        held.set()
        done.wait(30)


def test_two_trainings_in_one_directory(run, tmp_path):
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "run", held, done))
    other.start()
    assert held.wait(30)
    try:
        with pytest.raises(UsageError, match=rf"another training \(process {other.pid}\) writes to"):
            run()
    finally:
        done.set()
        other.join()
    run(steps=1)  # the lock is gone with its owner


def test_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="batch_size 4 does not divide into accumulate = 3 parts"):
        TrainConfig(batch_size=4, accumulate=3)


def test_unwritable_directory(run, tmp_path):
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="is not writable"):
            run()
        return
    os.seteuid(65534)  # root may write anywhere, so act as nobody
    try:
        with pytest.raises(UsageError, match="is not writable"):
            run()
    finally:
        os.seteuid(0)


def test_small_crop_is_warned_of(tiny_recipe, tiny_windows, tiny_catalogue, tmp_path):
    encoder = tiny_recipe.encoder.model_copy(update={"crop": (8, 4)})
    recipe = tiny_recipe.model_copy(update={"encoder": encoder, "train": TrainConfig(steps=1, batch_size=2)})
    config = RunConfig(recipe=recipe, data=tmp_path, output=tmp_path / "run", device="cpu")
    with pytest.warns(UserWarning, match="keeps 12% of"):
        fit(config, lambda: tiny_windows, tiny_catalogue)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_absent_gpu(tiny_recipe, tiny_windows, tiny_catalogue, tmp_path):
    config = RunConfig(recipe=tiny_recipe, data=tmp_path, output=tmp_path / "run", device="cuda")
    with pytest.raises(UsageError, match="sees no GPU"):
        fit(config, lambda: tiny_windows, tiny_catalogue)
