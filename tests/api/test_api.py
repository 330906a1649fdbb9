"""Every name that `trunkzoo` exports loads, and does what the README says."""

import pytest
from torch import nn

import trunkzoo


@pytest.mark.parametrize("name", trunkzoo.__all__)
def test_exports_load(name: str) -> None:
    assert getattr(trunkzoo, name) is not None
    assert name in dir(trunkzoo)


def test_an_unknown_name_lists_the_exports() -> None:
    with pytest.raises(AttributeError, match="exports RunConfig"):
        _ = trunkzoo.trian


def test_trunks_are_listed_and_created() -> None:
    assert "resnet/resnet-18" in trunkzoo.list_trunks("resnet/*")
    trunk = trunkzoo.create_trunk("resnet-18", norm="group", width=16)
    assert isinstance(trunk, nn.Module)
    assert trunk.out_channels == 128


def test_overrides_and_another_trunk() -> None:
    recipe = trunkzoo.load_recipe("imf-resnet18", {"train.steps": 7}, trunk="attnres-conv-deep")
    assert (recipe.train.steps, recipe.trunk.name) == (7, "attnres/attnres-conv-deep")
    assert recipe.contract.cond_dim == 208
