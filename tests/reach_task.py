"""The task ``reach/reach`` of tests/fixtures/reach, installed for this process and those it starts; small recipes on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkzoo.recipe import Part

FOLDER = Path(__file__).parent / "fixtures" / "reach"
REGISTRY = """
format = 1
[recipes.reach-resnet]
trunk = { name = "resnet/resnet-18", width = 16, norm = "group" }
head = { name = "imf/regression", width = 32, blocks = 1, heads = 2 }
task = { name = "reach/reach" }
[recipes.reach-resnet.contract]
cameras = ["top"]
image_size = 16
state_dim = 2
action_dim = 2
keypoints = 4
camera_dim = 6
cond_dim = 8
obs_horizon = 1
pred_horizon = 4
num_action_steps = 2
[recipes.reach-resnet.train]
warmup_steps = 1
log_every = 2
[suites.small]
arms = ["reach-resnet", { name = "reach-wide", recipe = "reach-resnet", set = { "trunk.width" = 32 } }]
tasks = [{ name = "reach/reach", demonstrations = 2 }]
steps = 4
batch_size = 4
checkpoints = 2
selection_episodes = 2
report_episodes = 6
"""


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the plugin ``reach`` importable here, in spawned processes and in started ones."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "reach,resnet,imf")


def reach(**config: object) -> Part:
    """The task with these settings."""
    return Part(name="reach/reach", config=config)
