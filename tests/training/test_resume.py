"""N steps = k steps + a stop + the remaining ones, bit for bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tiny import TinyWindows, TrainTiny
from trunkzoo.checkpoint.header import read_safetensors_header
from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.training.config import TrainResult
from trunkzoo.training.metrics import WALL_CLOCK, read_metrics

STEPS = 8


def rows(output: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in read_metrics(output)]


def assert_same_run(one: TrainResult, other: TrainResult) -> None:
    for name in ("model.safetensors", "training_state.safetensors"):
        ours, theirs = load_file(one.checkpoint / name), load_file(other.checkpoint / name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    assert rows(one.output) == rows(other.output)
    states = [read_safetensors_header(each.checkpoint / "training_state.safetensors").metadata for each in (one, other)]
    assert states[0] == states[1]  # counters, meters and best-so-far
    assert (one.best and one.best.name) == (other.best and other.best.name)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("k", [1, 3, 4, 7])
def test_stop_and_resume_is_bit_equal(tiny_run: TrainTiny, k: int, workers: int) -> None:
    whole = tiny_run("whole", workers=0)
    assert tiny_run("split", stop_at=k, workers=workers).step == k
    assert_same_run(whole, tiny_run("split", resume=True, workers=workers))


def test_several_stops(tiny_run: TrainTiny) -> None:
    whole = tiny_run("whole")
    tiny_run("split", stop_at=1)
    tiny_run("split", resume=True, stop_at=2)
    tiny_run("split", resume=True, stop_at=6)
    assert_same_run(whole, tiny_run("split", resume=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"ema": {"enabled": False}},
        {"holdout_episodes": 1},
        {"accumulate": 2},
        {"precision": "bf16"},
        {"channels_last": False},
        {"clip_norm": 0},
    ],
)
def test_resume_is_bit_equal_under_other_settings(tiny_run: TrainTiny, settings: dict[str, Any]) -> None:
    whole = tiny_run("whole", **settings)
    tiny_run("split", stop_at=3, **settings)
    assert_same_run(whole, tiny_run("split", resume=True, **settings))


def test_rows_beyond_the_checkpoint_are_dropped(tiny_run: TrainTiny, tmp_path: Path) -> None:
    whole = tiny_run("whole")
    tiny_run("split", stop_at=5)
    with (tmp_path / "split" / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 6, "loss": 1.0}\n{"step": 7, "lo')  # what a kill -9 leaves
    assert_same_run(whole, tiny_run("split", resume=True))


def test_resume_without_any_checkpoint_starts_over(tiny_run: TrainTiny, tmp_path: Path) -> None:
    whole = tiny_run("whole")
    with pytest.raises(OSError, match="pulled the plug"):
        run_until_first_save(tiny_run)
    assert_same_run(whole, tiny_run("split", resume=True))


def run_until_first_save(tiny_run: TrainTiny) -> None:
    from trunkzoo.training import session

    def pull(*_: object) -> None:
        raise OSError("pulled the plug")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "save_checkpoint", pull)
        tiny_run("split")


def test_extending_follows_the_longer_cosine(tiny_run: TrainTiny) -> None:
    tiny_run("run", steps=4)
    extended = tiny_run("run", steps=STEPS, resume=True)
    rates = {row["step"]: row["lr"] for row in rows(extended.output)}
    straight = {row["step"]: row["lr"] for row in rows(tiny_run("whole").output)}
    assert rates[6] == straight[6]
    assert rates[4] < straight[4]


def test_finished_run_resumes_to_itself(tiny_run: TrainTiny) -> None:
    first = tiny_run("run")
    assert_same_run(first, tiny_run("run", resume=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed: 0 ≠ 1"),
        ({"lr": 0.5}, r"train\.lr: 0\.01 ≠ 0\.5"),
        ({"precision": "bf16"}, r"train\.precision: fp32 ≠ bf16"),
    ],
)
def test_resume_with_other_settings_is_refused(tiny_run: TrainTiny, change: dict[str, Any], message: str) -> None:
    tiny_run("run", stop_at=1)
    with pytest.raises(UsageError, match=message):
        tiny_run("run", resume=True, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 3}, r"has done 5 steps already, more than train\.steps 3"),
        ({"stop_at": 4}, "stop_at 4 is not among the steps 5 to 8"),
        ({"stop_at": 9}, "stop_at 9 is not among the steps 5 to 8"),
    ],
)
def test_an_end_without_effect_is_refused(
    tiny_run: TrainTiny, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    tiny_run("run", stop_at=5)
    before = (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(UsageError, match=message):
        tiny_run("run", resume=True, **change)
    assert (tmp_path / "run" / "run.json").read_text() == before


def test_an_earlier_checkpoint_gives_the_same_end(tiny_run: TrainTiny) -> None:
    whole, other = tiny_run("whole"), tiny_run("other")
    shutil.rmtree(other.checkpoint)
    assert_same_run(whole, tiny_run("other", resume=True))


def test_half_a_copy_of_a_checkpoint_is_refused_before_training(tiny_run: TrainTiny) -> None:
    result = tiny_run("run")
    (result.checkpoint / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"step-000008 has no manifest\.json, so it is half a copy"):
        tiny_run("run", resume=True)


def test_resume_with_other_images_is_refused(tiny_run: TrainTiny, tiny_windows: TinyWindows) -> None:
    tiny_run("run", stop_at=1)
    tiny_windows.images = {**tiny_windows.images, "front": "another"}
    with pytest.raises(UsageError, match=r"data\.images\.front: made up ≠ another"):
        tiny_run("run", resume=True)


def test_resume_with_another_recipe_is_refused(tiny_run: TrainTiny, tiny_recipe: Recipe) -> None:
    tiny_run("run", stop_at=1)
    other = tiny_recipe.model_copy(update={"head": tiny_recipe.head.model_copy(update={"config": {"width": 16}})})
    with pytest.raises(UsageError, match=r"head\.config\.width: 8 ≠ 16"):
        tiny_run("run", resume=True, recipe=other)


def test_a_setting_that_is_younger_than_the_run_has_its_default_there(tiny_run: TrainTiny, tiny_recipe: Recipe) -> None:
    """As a run has it that was begun before an upgrade: what the new setting's default does is what was done before."""
    whole, run = tiny_run("whole"), tiny_run("run", stop_at=4).output / "run.json"
    facts = json.loads(run.read_text())
    del facts["recipe"]["encoder"]["keypoint_gain"], facts["recipe"]["trunk"]["config"]["width"]
    run.write_text(json.dumps(facts))
    sharp = tiny_recipe.encoder.model_copy(update={"keypoint_gain": 2.0})
    with pytest.raises(UsageError, match=r"encoder\.keypoint_gain: 1\.0 ≠ 2\.0"):
        tiny_run("run", resume=True, recipe=tiny_recipe.model_copy(update={"encoder": sharp}))
    wide = tiny_recipe.trunk.model_copy(update={"config": {"width": 16}})
    with pytest.raises(UsageError, match=r"trunk\.config\.width: 8 ≠ 16"):
        tiny_run("run", resume=True, recipe=tiny_recipe.model_copy(update={"trunk": wide}))
    assert_same_run(whole, tiny_run("run", resume=True))


def test_resume_with_other_data_is_refused(tiny_run: TrainTiny, tiny_windows: TinyWindows) -> None:
    tiny_run("run", stop_at=1)
    tiny_windows.stats = {**tiny_windows.stats, "action": {"min": [-2.0, -2.0]}}
    with pytest.raises(UsageError, match=r"data\.stats: .* ≠ "):
        tiny_run("run", resume=True)
