"""Trackers get the rows of metrics.jsonl; one that is absent is a line, one that fails is left out, never the training."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tiny import TrainTiny
from trunkzoo.errors import UsageError
from trunkzoo.training.metrics import read_metrics
from trunkzoo.training.trackers import Trackers


@pytest.mark.parametrize("name", ["wandb", "trackio", "mlflow"])
def test_a_tracker_that_is_not_installed_is_a_line(name: str, tiny_run: TrainTiny, tmp_path: Path) -> None:
    if find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(UsageError, match=f"track {name}: not installed; run: pip install {name}"):
        tiny_run(track=[name])
    assert not (tmp_path / "run").exists()


class Down:
    """A service that breaks at its second row."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def log(self, values: dict[str, Any], step: int) -> None:
        if self.rows:
            raise ConnectionError("gone")
        self.rows.append({"step": step, **values})


def test_a_tracker_that_fails_on_the_way_is_left_out(tmp_path: Path) -> None:
    trackers, down = Trackers([], tmp_path, {}), Down()
    trackers._open["down"] = down
    trackers.log({"step": 1, "loss": 2.0, "event": "words are left out"})
    with pytest.warns(UserWarning, match=r"down is left out from here on \(ConnectionError: gone\)"):
        trackers.log({"step": 2, "loss": 1.0})
    trackers.log({"step": 3, "loss": 0.5})
    assert down.rows == [{"step": 1, "loss": 2.0}]


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
@pytest.mark.filterwarnings("ignore")
def test_wandb_offline_has_the_same_rows(tiny_run: TrainTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    result = tiny_run(track=["wandb"])
    (offline,) = (result.output / "wandb").glob("offline-run-*/run-*.wandb")
    identity = json.loads((result.output / "trackers.json").read_text())["id"]
    assert identity in offline.name
    content = offline.read_bytes()
    assert content.count(b"steps_per_second") >= len(read_metrics(result.output))


@pytest.mark.skipif(find_spec("trackio") is None, reason="trackio is not installed")
@pytest.mark.filterwarnings("ignore")
def test_trackio_has_the_same_rows(tiny_run: TrainTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    result = tiny_run(track=["trackio"])
    (file,) = (tmp_path / "trackio").glob("trunkzoo*.db")
    with sqlite3.connect(file) as database:
        rows = [json.loads(text) for (text,) in database.execute("select metrics from metrics order by step")]
    assert [row["loss"] for row in rows] == [row["loss"] for row in read_metrics(result.output)]


@pytest.mark.filterwarnings("ignore")
def test_mlflow_goes_on_in_the_same_run(tiny_run: TrainTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    result = tiny_run(track=["mlflow"])
    tiny_run(track=["mlflow"], steps=result.step + 1, resume=True)
    client = mlflow.MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'trunkzoo'")
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [
        (row["step"], row["loss"]) for row in read_metrics(result.output)
    ]
