"""The task ``reach/reach``, and ``faulty/reach`` of tests/fixtures/faulty where faults are asked for; small recipes on it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trunkzoo.catalogue.part import Part
from trunkzoo.registry import open_zoo
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.plan import SuitePlan
from trunkzoo.suites.planning import plan_suite

FOLDER = Path(__file__).parents[1] / "fixtures" / "faulty"
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
    """Make the plugin ``faulty`` importable here, in spawned processes and in started ones."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))
    monkeypatch.setenv("TRUNKZOO_PLUGINS", "reach,faulty,resnet,imf")


def reach(**config: object) -> Part:
    """The task with these settings; with a ``fault``, the one that has it."""
    return Part(name="faulty/reach" if "fault" in config else "reach/reach", config=config)


def small(folder: Path, *only: str, text: str = REGISTRY) -> SuitePlan:
    """The suite ``small`` of a registry in ``folder``, with its cells there."""
    (folder / "registry.toml").write_text(text)
    return plan_suite("small", open_zoo(folder / "registry.toml"), folder / "runs", only)


def floor(home: Path, policy: str = "noop", episodes: int = 2, **config: object) -> Cell:
    """A cell that plays a floor on the task with these settings."""
    task = reach(**config).model_dump()
    return Cell("floor", policy, {"policy": policy, "task": task, "report": [0, episodes]}, home)


def untrained(folder: Path) -> Path:
    """The checkpoint of a one-step iMF agent for ``reach/reach`` that was never trained."""
    from trunkzoo.agent.assemble import assemble
    from trunkzoo.agent.example import unit_statistics
    from trunkzoo.checkpoint import save_checkpoint

    (folder / "registry.toml").write_text(REGISTRY)
    recipe = open_zoo(folder / "registry.toml").recipe("reach-resnet", {"head.name": "imf/imf"})
    agent = assemble(recipe)
    agent.fit_normalizers(unit_statistics(agent.contract))
    save_checkpoint(folder / "agent", agent)
    return folder / "agent"


def orphans_of(code: str, argument: Path, sign: Path) -> list[psutil.Process]:
    """Run Python ``code``, kill -9 it once ``sign`` exists, and return the children that it had."""
    run = subprocess.Popen([sys.executable, "-c", code, str(argument)])
    deadline = time.monotonic() + 60
    while not sign.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    children: list[psutil.Process] = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    return children
