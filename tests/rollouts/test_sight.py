"""How exactly an agent sees is what its condition vector tells of the task's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reach_task import install, reach, untrained
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.plugin import IMAGE_KEY, TaskError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.policies import make_agent_policy
from trunkzoo.rollouts.sight import measure_sight
from trunkzoo_reach.config import ReachConfig
from trunkzoo_reach.task import Reach

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent

SCENES = range(100)
SMALL = ReachConfig(image_size=16)


def green_place(window: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """A condition (B, T, 2) that sees: where the green target lies in the image."""
    images = window[f"{IMAGE_KEY}top"].double()  # (B, T, 3, H, W)
    green = (images[:, :, 1] - images[:, :, 0] - 20).clamp(min=0)
    mass = green / green.sum((-2, -1), keepdim=True).clamp(min=1)
    ruler = torch.arange(images.shape[-1], dtype=torch.float64)
    return torch.stack([(mass.sum(-2) * ruler).sum(-1), (mass.sum(-1) * ruler).sum(-1)], dim=-1)


def test_a_condition_that_sees_is_read_exactly_and_one_of_blank_images_is_worth_a_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    zoo = open_zoo()
    job = plan(zoo.catalogue, "agent", untrained(tmp_path)).job
    task = make_task(zoo.catalogue.configure("task", reach()))
    blind = measure_sight(make_agent_policy(replace(job, policy="blind"), zoo.catalogue), task, SCENES)
    seeing = make_agent_policy(job, zoo.catalogue)
    monkeypatch.setattr(cast("Agent", seeing.agent), "condition", green_place)
    seen = measure_sight(seeing, task, SCENES)
    targets = [np.random.default_rng(seed).uniform(size=(2, 2))[1] for seed in SCENES]
    guess = float(np.linalg.norm(targets - np.mean(targets, axis=0), axis=1).mean())
    assert blind is not None
    assert blind.error == pytest.approx(guess, rel=0.1)
    assert blind.guess == pytest.approx(guess)
    assert seen is not None
    assert seen.error < 0.2 * guess  # the point stands before some targets


class Silent(Reach):
    """The task as it would be without places."""

    places = None  # type: ignore[assignment]  # as in a plugin that does not write it


def test_a_task_that_tells_no_places_has_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    catalogue = open_zoo().catalogue
    policy = make_agent_policy(plan(catalogue, "agent", untrained(tmp_path)).job, catalogue)
    assert measure_sight(policy, Silent(SMALL), SCENES) is None


class Lined(Reach):
    """Beside the target a line that never moves, and whatever a test adds."""

    others: Callable[[], dict[str, NDArray[np.float64]]] = staticmethod(dict)

    def places(self) -> dict[str, NDArray[np.float64]]:
        return {**super().places(), "line": np.ones(3), **self.others()}


def test_only_objects_that_move_from_scene_to_scene_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    catalogue = open_zoo().catalogue
    policy = make_agent_policy(plan(catalogue, "agent", untrained(tmp_path)).job, catalogue)
    plain, lined = Reach(SMALL), Lined(SMALL)
    assert measure_sight(policy, lined, SCENES) == measure_sight(policy, plain, SCENES)
    numbers = iter(range(1000))
    for others, words in (
        (lambda: {"cup": np.full(3, np.nan)}, "places.. has 'cup' at .nan, nan, nan.; a place must be finite"),
        (lambda: {f"cup {next(numbers)}": np.ones(3)}, "it must tell of all"),
    ):
        monkeypatch.setattr(Lined, "others", staticmethod(others))
        with pytest.raises(TaskError, match=words):
            measure_sight(policy, lined, SCENES)
