"""Training through torch.compile: the same within rounding, and a choice of how to run that a run may change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reach_task import install, small
from tiny import TrainTiny
from trunkzoo.errors import UsageError
from trunkzoo.registry import open_zoo
from trunkzoo.suites.layout import RUN
from trunkzoo.suites.work import run_cell
from trunkzoo.training.directory import read_run
from trunkzoo.training.metrics import read_metrics

compiles = pytest.mark.filterwarnings("ignore")  # the compiler trips over warnings of its own


def test_without_a_compiler_it_is_refused_before_anything_begins(
    tiny_run: TrainTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError, match="there is no no-such-compiler here; install one"):
        tiny_run("run", compile=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@compiles
def test_a_run_that_began_without_it_goes_on_with_it(tiny_run: TrainTiny) -> None:
    whole = tiny_run("whole", steps=4)
    tiny_run("split", steps=4, stop_at=2)
    split = tiny_run("split", steps=4, resume=True, compile=True)
    for one, other in zip(read_metrics(whole.output), read_metrics(split.output), strict=True):
        assert (other["step"], other["loss"]) == (one["step"], pytest.approx(one["loss"], rel=1e-4))


@pytest.mark.slow
@compiles
def test_a_suites_training_is_compiled_under_the_key_that_it_has_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    plan, zoo = small(tmp_path), open_zoo(tmp_path / "registry.toml")
    task = plan.tasks[0]
    training = task.arms[0].trains[0]
    compiled = replace(training, compile=True)
    for cell in (task.collects[0], compiled):
        run_cell(cell, zoo)
    assert training.result()["steps"] == 4  # found by the plan that does not compile
    assert read_run(compiled.directory / RUN)["recipe"]["train"]["compile"] is True
