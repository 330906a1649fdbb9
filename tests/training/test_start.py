"""A training that starts from another agent's weights: recorded, resumed as begun, refused where it has no meaning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from tiny import TrainTiny
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.export.record import sha256_of
from trunkzoo.registry.recipe import Recipe
from trunkzoo.training.metrics import WALL_CLOCK, read_metrics

MODEL = "model.safetensors"


@pytest.fixture
def source(tiny_run: TrainTiny) -> Path:
    return tiny_run("source", steps=40, checkpoint_every=40, seed=5).checkpoint


def rows(run: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in read_metrics(run)]


def test_a_start_goes_on_from_what_was_learned_and_is_recorded(tiny_run: TrainTiny, source: Path) -> None:
    fresh = tiny_run("fresh", steps=2, log_every=1)
    started = tiny_run("started", steps=2, log_every=1, start={"path": source})
    assert read_metrics(started.output)[0]["loss"] < 0.8 * read_metrics(fresh.output)[0]["loss"]
    facts = json.loads((started.output / "run.json").read_text())["start"]
    assert facts["sha256"] == sha256_of(source / MODEL)
    assert (facts["recipe"], facts["step"], facts["parts"]) == ("tiny", 40, ["trunk", "cameras", "head"])


def test_a_started_run_is_resumed_bit_equal_where_its_source_is_gone(tiny_run: TrainTiny, source: Path) -> None:
    whole = tiny_run("whole", start={"path": source})
    split = tiny_run("split", start={"path": source}, stop_at=3)
    shutil.rmtree(source)
    split = tiny_run("split", resume=True)
    assert rows(whole.output) == rows(split.output)
    one, other = (load_file(result.checkpoint / MODEL) for result in (whole, split))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_killed_before_its_first_checkpoint_starts_from_the_same_weights(
    tiny_run: TrainTiny, source: Path
) -> None:
    whole = tiny_run("whole", start={"path": source})
    killed = tiny_run("killed", start={"path": source}, stop_at=1)
    shutil.rmtree(killed.checkpoint)
    again = tiny_run("killed", resume=True)
    assert rows(whole.output) == rows(again.output)
    shutil.rmtree(again.output / "checkpoints")
    shutil.rmtree(source)
    with pytest.raises(CheckpointError, match="absent, or another file than when it began"):
        tiny_run("killed", resume=True)


def test_what_does_not_fit_leaves_no_run(tiny_run: TrainTiny, source: Path, tmp_path: Path) -> None:
    data = json.loads((source.parents[1] / "run.json").read_text())["recipe"]
    wide = Recipe.model_validate(data).model_copy(update={"head": Part(name="head", config={"width": 16})})
    with pytest.raises(CheckpointError, match="head does not fit"):
        tiny_run("wide", recipe=wide, start={"path": source})
    assert not (tmp_path / "wide").exists()
    tiny_run("wide", recipe=wide, start={"path": source, "parts": ["trunk", "cameras"]}, stop_at=1)


def test_a_start_beside_a_resume_is_refused(tiny_run: TrainTiny, source: Path) -> None:
    with pytest.raises(ValidationError, match="start has no effect with resume"):
        tiny_run("run", resume=True, start={"path": source})


def test_a_start_that_is_not_there_is_a_line(tiny_run: TrainTiny, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint at"):
        tiny_run("run", start={"path": tmp_path / "nowhere"})
