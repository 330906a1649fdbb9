"""Every part of an agent starts from a seed of its own, so that arms of one training seed share all but the trunk."""

from __future__ import annotations

import pytest
import torch

from trunkzoo.agent.assemble import assemble, part_seed
from trunkzoo.registry.zoo import open_zoo
from trunkzoo.suites.planning import load_suite


def weights(arm: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Initial values of an arm of ``phase2-cpu``."""
    zoo = open_zoo()
    (found,) = (each for each in load_suite(zoo.registry, "phase2-cpu").arms if each.label == arm)
    return assemble(zoo.recipe(found.recipe, found.set, found.trunk), seed).state_dict()


@pytest.mark.parametrize("arm", ["conv-18", "conv-deep", "tokens"])
def test_arms_of_one_seed_share_all_but_the_trunk(arm: str) -> None:
    ours, first = weights(arm), weights("resnet-18")
    head = [name for name in first if name.startswith("head.")]
    assert len([name for name in head if first[name].unique().numel() > 1]) == 26  # the others start as constants
    projections = [name for name in first if ".project." in name]
    assert len(projections) == 2 * 3
    assert all(torch.equal(ours[name], first[name]) for name in (*head, *projections))
    pools = [name for name in first if name.endswith("pool.conv.weight") and ours[name].shape == first[name].shape]
    assert bool(pools) == (arm != "conv-deep")  # whose last width is another
    assert all(torch.equal(ours[name], first[name]) for name in pools)


def test_another_seed_gives_other_values_in_every_part() -> None:
    ours, other = weights("resnet-18"), weights("resnet-18", seed=1)
    drawn = [name for name in ours if ours[name].dim() > 1 and ours[name].float().std() > 0]
    assert drawn
    assert not any(torch.equal(ours[name], other[name]) for name in drawn)


def test_parts_of_one_agent_do_not_repeat_each_other() -> None:
    ours = weights("resnet-18")
    assert not torch.equal(ours["encoder.cameras.0.project.weight"], ours["encoder.cameras.1.project.weight"])
    assert part_seed(0, "head") != part_seed(0, "trunk.0") != part_seed(1, "trunk.0")
