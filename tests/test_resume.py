"""N steps = k steps + a stop + the remaining ones, bit for bit."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from trunkzoo.checkpoint.header import read_safetensors_header
from trunkzoo.errors import UsageError
from trunkzoo.recipe import Recipe
from trunkzoo.training.loop import fit
from trunkzoo.training.metrics import WALL_CLOCK, read_metrics
from trunkzoo.training.run import RunConfig

STEPS = 8


@pytest.fixture
def run(tiny_recipe, tiny_windows, tiny_catalogue, tmp_path):
    """Train in a directory with settings changed: ``run("name", stop_at=3, workers=2)``."""

    def train(name, *, stop_at=None, resume=False, seed=0, recipe=tiny_recipe, **settings):
        settings = {**recipe.train.model_dump(), **settings}
        recipe = Recipe.model_validate({**recipe.model_dump(), "train": settings})
        config = RunConfig(
            recipe=recipe,
            data=tmp_path,
            output=tmp_path / name,
            seed=seed,
            resume=resume,
            device="cpu",
            stop_at=stop_at,
        )
        return fit(config, lambda: tiny_windows, tiny_catalogue)

    return train


def rows(output):
    return [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in read_metrics(output)]


def assert_same_run(one, other):
    for name in ("model.safetensors", "training_state.safetensors"):
        ours, theirs = load_file(one.checkpoint / name), load_file(other.checkpoint / name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    assert rows(one.output) == rows(other.output)
    states = [read_safetensors_header(each.checkpoint / "training_state.safetensors")[0] for each in (one, other)]
    assert states[0] == states[1]  # counters, meters and best-so-far
    assert (one.best and one.best.name) == (other.best and other.best.name)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("k", [1, 3, 4, 7])
def test_stop_and_resume_is_bit_equal(run, k, workers):
    whole = run("whole", workers=0)
    assert run("split", stop_at=k, workers=workers).step == k
    assert_same_run(whole, run("split", resume=True, workers=workers))


def test_several_stops(run):
    whole = run("whole")
    run("split", stop_at=1)
    run("split", resume=True, stop_at=2)
    run("split", resume=True, stop_at=6)
    assert_same_run(whole, run("split", resume=True))


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
def test_resume_is_bit_equal_under_other_settings(run, settings):
    whole = run("whole", **settings)
    run("split", stop_at=3, **settings)
    assert_same_run(whole, run("split", resume=True, **settings))


def test_rows_beyond_the_checkpoint_are_dropped(run, tmp_path):
    whole = run("whole")
    run("split", stop_at=5)
    with (tmp_path / "split" / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 6, "loss": 1.0}\n{"step": 7, "lo')  # what a kill -9 leaves
    assert_same_run(whole, run("split", resume=True))


def test_resume_without_any_checkpoint_starts_over(run, tmp_path):
    whole = run("whole")
    with pytest.raises(OSError, match="pulled the plug"):
        run_until_first_save(run)
    assert_same_run(whole, run("split", resume=True))


def run_until_first_save(run):
    from trunkzoo.training import session

    def pull(*_):
        raise OSError("pulled the plug")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "save_checkpoint", pull)
        run("split")


def test_extending_follows_the_longer_cosine(run):
    run("run", steps=4)
    extended = run("run", steps=STEPS, resume=True)
    rates = {row["step"]: row["lr"] for row in rows(extended.output)}
    straight = {row["step"]: row["lr"] for row in rows(run("whole").output)}
    assert rates[6] == straight[6]
    assert rates[4] < straight[4]


def test_finished_run_resumes_to_itself(run):
    first = run("run")
    assert_same_run(first, run("run", resume=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed: 0 ≠ 1"),
        ({"lr": 0.5}, r"train\.lr: 0\.01 ≠ 0\.5"),
        ({"precision": "bf16"}, r"train\.precision: fp32 ≠ bf16"),
    ],
)
def test_resume_with_other_settings_is_refused(run, change, message):
    run("run", stop_at=1)
    with pytest.raises(UsageError, match=message):
        run("run", resume=True, **change)


def test_resume_with_another_recipe_is_refused(run, tiny_recipe):
    run("run", stop_at=1)
    other = tiny_recipe.model_copy(update={"head": tiny_recipe.head.model_copy(update={"config": {"width": 16}})})
    with pytest.raises(UsageError, match=r"head\.config\.width: 8 ≠ 16"):
        run("run", resume=True, recipe=other)


def test_resume_with_other_data_is_refused(run, tiny_windows):
    run("run", stop_at=1)
    tiny_windows.stats = {**tiny_windows.stats, "action": {"min": [-2.0, -2.0]}}
    with pytest.raises(UsageError, match=r"data\.stats: .* ≠ "):
        run("run", resume=True)
