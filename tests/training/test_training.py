"""What a run leaves behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tiny import TinyWindows, TrainTiny
from trunkzoo.agent.agent import Agent
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent, read_header
from trunkzoo.errors import UsageError
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.training.metrics import read_metrics
from trunkzoo.training.probes import Holdout
from trunkzoo.training.step import Learner, StepReport


def test_training_learns(tiny_run: TrainTiny) -> None:
    result = tiny_run(steps=300, lr=3e-3, log_every=50, checkpoint_every=300)
    losses = [row["loss"] for row in read_metrics(result.output)]
    assert losses[-1] < losses[0] / 3


def test_accumulation_equals_the_larger_batch(tiny_run: TrainTiny, tmp_path: Path) -> None:
    whole, parts = (tiny_run(str(n), accumulate=n) for n in (1, 4))
    for one, other in zip(read_metrics(whole.output), read_metrics(parts.output), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)


def test_metrics_tell_what_happened(tiny_run: TrainTiny) -> None:
    result = tiny_run()
    rows = read_metrics(result.output)
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    expected = {
        "loss",
        "lr",
        "grad_norm",
        "steps_per_second",
        "cpu_per_step",
        "data_wait",
        "memory_mb",
        "error",
        "skipped",
    }
    assert expected <= rows[0].keys()
    assert result.metrics == rows[-1]


def test_model_file_acts_with_the_average(tiny_run: TrainTiny, tiny_catalogue: Catalogue) -> None:
    result = tiny_run()
    agent = load_agent(result.output, tiny_catalogue)
    live = load_file(result.checkpoint / "training_state.safetensors")
    assert not torch.equal(agent.head.get_parameter("exit.weight"), live["live/head.exit.weight"])
    assert read_header(result.output).step == 8


def test_without_average_the_live_weights_act(tiny_run: TrainTiny) -> None:
    result = tiny_run(ema={"enabled": False})
    assert not any(key.startswith("live/") for key in load_file(result.checkpoint / "training_state.safetensors"))


def test_newest_and_best_checkpoints_are_kept(tiny_run: TrainTiny) -> None:
    result = tiny_run(steps=12, checkpoint_every=2, keep=2)
    folder = result.output / "checkpoints"
    assert result.best is not None
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"step-000010", "step-000012", result.best.name, "last", "best"}
    assert (folder / "last").resolve() == result.checkpoint.resolve()
    assert (folder / "best").resolve() == result.best.resolve()


def test_best_has_the_lowest_mean_loss(tiny_run: TrainTiny) -> None:
    result = tiny_run(log_every=4, checkpoint_every=4, steps=16)
    best = min(read_metrics(result.output), key=lambda row: row["loss"])
    assert result.best is not None
    assert result.best.name == f"step-{best['step']:06d}"


def test_held_out_episodes_decide_what_is_best(
    tiny_run: TrainTiny, tiny_windows: TinyWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = tiny_windows.gather
    seen: set[int] = set()

    def noted(indices: Tensor) -> dict[str, Tensor]:
        seen.update(indices.tolist())
        return gather(indices)

    monkeypatch.setattr(tiny_windows, "gather", noted)
    result = tiny_run(holdout_episodes=1, checkpoint_every=2, keep=8, ema={"decay_max": 0.5})
    rows = [row for row in read_metrics(result.output) if "holdout_error" in row]
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    assert all(row["holdout_spread"] > 0 for row in rows)
    best = min(rows, key=lambda row: row["holdout_error"])
    assert result.best is not None
    assert result.best.name == f"step-{best['step']:06d}"
    assert seen == set(range(10))


class ActsByNoise(nn.Module):
    """Its chunk is the noise that it gets, plus 1; what is not padded of it is compared."""

    device, action_normalizer = torch.device("cpu"), SimpleNamespace(normalize=lambda actions: actions)

    def predict(self, observed: dict[str, Tensor], noise: Tensor) -> Tensor:
        return noise + 1


def test_error_and_spread_of_an_agent_that_acts_by_its_noise(tiny_windows: TinyWindows) -> None:
    tiny_windows.spoil(1.0)
    holdout = Holdout(tiny_windows, 1)
    batch = tiny_windows.gather(holdout.indices)
    first, second = (Draws(sample_seeds(n, holdout.indices)).normal(*batch["action"].shape[1:]) for n in (0, 1))
    valid = ~batch["action_is_pad"]
    found = holdout.measure(cast(Agent, ActsByNoise()))
    assert found.error == pytest.approx(first.abs().mean(-1)[valid].mean().item(), rel=1e-5)
    deviation = torch.stack([first, second]).std(0)
    assert found.spread == pytest.approx(deviation.mean(-1)[valid].mean().item(), rel=1e-5)


def test_held_out_windows_are_not_trained_on(tiny_windows: TinyWindows) -> None:
    holdout = Holdout(tiny_windows, 1)
    assert (holdout.first, holdout.indices.tolist()) == (5, [5, 6, 7, 8, 9])
    with pytest.raises(UsageError, match="leaves nothing of 2 episodes"):
        Holdout(tiny_windows, 2)


def test_tensorboard_gets_the_same_numbers(tiny_run: TrainTiny) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = tiny_run(tensorboard=True)
    events = EventAccumulator(str(result.output / "tensorboard")).Reload()
    logged = [(event.step, event.value) for event in events.Scalars("loss")]
    assert logged == [(row["step"], pytest.approx(row["loss"])) for row in read_metrics(result.output)]


def test_run_records_what_it_was(tiny_run: TrainTiny) -> None:
    import json

    result = tiny_run()
    record = json.loads((result.output / "run.json").read_text())
    assert record["recipe"]["head"] == {"name": "tiny/head", "config": {"width": 8}}
    assert torch.__version__.startswith(record["sessions"][0]["versions"]["torch"])
    assert record["sessions"][0]["from_step"] == 0


def test_torch_is_left_as_it_was(tiny_run: TrainTiny) -> None:
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    tiny_run(steps=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_float32_is_ieee_while_it_trains(tiny_run: TrainTiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """TF32 would round convolutions and not linear layers: arms would differ in more than their trunk."""
    seen = []
    step = Learner.step

    def noted(*arguments: Any) -> StepReport:
        seen.append(torch.backends.cudnn.allow_tf32)
        return step(*arguments)

    monkeypatch.setattr(Learner, "step", noted)
    before = torch.backends.cudnn.allow_tf32
    tiny_run(steps=2)
    assert seen == [False, False]
    assert torch.backends.cudnn.allow_tf32 is before
