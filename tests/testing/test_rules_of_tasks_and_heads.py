"""`zoo check` fails what `zoo eval` could not run, and a head that ignores the mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reach_task import install
from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.errors import PluginError
from trunkzoo.plugin import Config, Contract, Draws, HeadSpec, TaskSpec
from trunkzoo.registry import open_zoo
from trunkzoo.testing import subject_of
from trunkzoo.testing.check import Check, Result, run_check
from trunkzoo.testing.head_checks import padding_is_harmless
from trunkzoo.testing.task_checks import satisfies_task

Change = Callable[[Any], None]


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> TaskSpec[Any]:
    install(monkeypatch)
    return open_zoo().catalogue.task("reach/reach").spec


def changed(spec: TaskSpec[Any], change: Change) -> TaskSpec[Any]:
    """The task as it is after ``change`` of every built one."""

    def build(config: Config) -> Any:
        task = spec.build(config)
        change(task)
        return task

    return replace(spec, build=build)


def without(*names: str) -> Change:
    class Bare:
        pass

    def strip(task: Any) -> None:
        kept = {name: getattr(task, name) for name in dir(task) if not name.startswith("__") and name not in names}
        task.__class__ = Bare
        task.__dict__.clear()
        task.__dict__.update(kept)

    return strip


def setting(name: str, value: Any) -> Change:
    return lambda task: setattr(task, name, value)


def verdict(spec: TaskSpec[Any]) -> Result:
    return run_check(Check(satisfies_task), subject_of("reach/reach", spec))


def test_a_whole_task_passes(reach: TaskSpec[Any]) -> None:
    assert verdict(reach).outcome == "passed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("hold", "action_low"), "without action_low, hold()"),
        (setting("hold", lambda: np.zeros(3)), "hold() has shape (3,)"),
        (setting("action_low", np.ones(2)), "is not below action_high"),
        (setting("action_high", np.array([1.0, np.inf])), "must be finite"),
        (setting("hold", lambda: np.full(2, 5.0)), "outside action_low"),
        (setting("expert", lambda seed: object()), "has no act()"),
    ],
)
def test_a_task_that_cannot_be_played_fails_and_says_all(reach: TaskSpec[Any], change: Change, told: str) -> None:
    result = verdict(changed(reach, change))
    assert result.outcome == "failed"
    assert told in result.detail


def test_building_a_task_names_all_that_it_lacks(reach: TaskSpec[Any]) -> None:
    catalogue = open_zoo().catalogue
    found = catalogue.configure("task", Part(name="reach/reach"))
    broken = replace(found, spec=changed(reach, without("hold", "close")))
    with pytest.raises(PluginError, match=r"built a Bare without hold\(\), close\(\)"):
        make_task(broken)


class Mlp(nn.Module):
    """Regresses the chunk; ``masked`` says whether it reads the mask."""

    def __init__(self, contract: Contract, masked: bool) -> None:
        super().__init__()
        self.shape, self.masked = (contract.pred_horizon, contract.action_dim), masked
        self.net = nn.Linear(contract.obs_horizon * contract.cond_dim, contract.pred_horizon * contract.action_dim)

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        error = (self.sample(cond, actions) - actions).abs().mean(-1)
        return {"loss": (error * valid if self.masked else error).mean()}

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        chunk: Tensor = self.net(cond.flatten(1))
        return chunk.view(-1, *self.shape)


@pytest.mark.parametrize(("masked", "outcome"), [(True, "passed"), (False, "failed")])
def test_padding_must_not_move_the_loss(masked: bool, outcome: str) -> None:
    torch.manual_seed(0)
    spec = HeadSpec(name="mlp", summary="m", config=Config, build=lambda config, contract: Mlp(contract, masked))
    result = run_check(Check(padding_is_harmless), subject_of("x/mlp", spec))
    assert result.outcome == outcome
    assert masked or "multiply the error by valid" in result.detail
