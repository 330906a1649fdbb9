"""How exactly an agent sees is what its condition vector tells of the task's objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch

from reach_task import install, reach, untrained
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.plugin import IMAGE_KEY
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.policies import make_agent_policy
from trunkzoo.rollouts.sight import place_error
from trunkzoo_reach.config import ReachConfig
from trunkzoo_reach.task import Reach

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent

SCENES = range(100)


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
    blind = place_error(make_agent_policy(replace(job, policy="blind"), zoo.catalogue), task, SCENES)
    seeing = make_agent_policy(job, zoo.catalogue)
    monkeypatch.setattr(cast("Agent", seeing.agent), "condition", green_place)
    seen = place_error(seeing, task, SCENES)
    targets = [np.random.default_rng(seed).uniform(size=(2, 2))[1] for seed in SCENES]
    guess = float(np.linalg.norm(targets - np.mean(targets, axis=0), axis=1).mean())
    assert blind == pytest.approx(guess, rel=0.1)
    assert seen is not None
    assert seen < 0.2 * guess  # the point stands before some targets


class Silent(Reach):
    """The task as it would be without places."""

    places = None  # type: ignore[assignment]


def test_a_task_that_tells_no_places_has_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    catalogue = open_zoo().catalogue
    policy = make_agent_policy(plan(catalogue, "agent", untrained(tmp_path)).job, catalogue)
    assert place_error(policy, Silent(ReachConfig()), SCENES) is None
