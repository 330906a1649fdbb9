"""With zero queries an AttnRes trunk is its residual control, and that is a pre-norm ResNet."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from attnres_cases import FAMILIES, images_of, small
from trunkzoo_attnres.model import AttnResTrunk


def output_and_gradients(trunk: AttnResTrunk) -> dict[str, Tensor]:
    trunk.double()
    norms: list[Any] = [module for module in trunk.modules() if hasattr(module, "eps")]
    for norm in norms:
        norm.eps = 1e-30  # the identity is exact but for the norms' eps
    features = trunk(images_of(2, 64, 48).double())
    features.pow(3).sum().backward()
    gradients = {n: p.grad for n, p in trunk.named_parameters() if "query" not in n and p.grad is not None}
    return {"features": features.detach(), **gradients}


@FAMILIES
@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("mixing", ["block(2)", "uniform", "static", "residual"])
def test_at_zero_queries_every_mixing_is_the_same_function(family: str, mixing: str, carry: bool) -> None:
    depths = (3, 3, 3, 3)  # deep enough for blocks to group
    full = output_and_gradients(small(family, carry=carry, depths=depths))
    other = output_and_gradients(small(family, carry=carry, depths=depths, mixing=mixing))
    assert full.keys() == other.keys()
    for name, exact in full.items():
        scale = float(exact.abs().max())
        named = partial("{}: {}".format, name)
        torch.testing.assert_close(other[name], exact, rtol=0, atol=1e-10 * scale, msg=named)


def stirred(trunk: AttnResTrunk) -> AttnResTrunk:
    """Every weight, gain and bias moved, the same way for trunks of the same parameters."""
    generator = torch.Generator().manual_seed(2)
    for parameter in trunk.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return trunk


@FAMILIES
@pytest.mark.parametrize("carry", [False, True])
def test_averaging_and_adding_are_one_function_of_all_weights(family: str, carry: bool) -> None:
    """Every reader of a mix begins with a norm, so dividing a sum by the number of its terms changes nothing."""
    added, averaged = (
        output_and_gradients(stirred(small(family, carry=carry, depths=(3, 3, 3, 3), mixing=mixing)))
        for mixing in ("residual", "uniform")
    )
    assert added.keys() == averaged.keys()
    for name, exact in added.items():
        scale = float(exact.abs().max())
        assert float((averaged[name] - exact).abs().max()) <= 1e-9 * scale, name


def test_learned_weights_make_another_function() -> None:
    """What the tests above could not tell apart if they stirred nothing."""
    full, uniform = (output_and_gradients(stirred(small("conv-18", mixing=mixing))) for mixing in ("full", "uniform"))
    assert (full["features"] - uniform["features"]).abs().max() > 0.01


def plain_prenorm_resnet(images: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """A pre-norm ResNet of two pairs per stage, additive residuals, as a plain function of the weights."""

    def norm_relu(x: Tensor, key: str) -> Tensor:
        return F.group_norm(x, x.shape[1] // 16, state[f"{key}.weight"], state[f"{key}.bias"]).relu()

    def conv(x: Tensor, key: str, stride: int = 1) -> Tensor:
        weight = state[f"{key}.weight"]
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)

    x = F.max_pool2d(norm_relu(conv(images, "stem.0", 2), "stem.1"), 3, 2, 1)
    for i in range(4):
        at, first = f"stages.{i}", 0
        if i:
            y = norm_relu(x, f"{at}.entry.norm")
            branch = conv(y, f"{at}.entry.branch.0", 2)
            x = conv(y, f"{at}.entry.shortcut", 2)
            x = x + conv(norm_relu(branch, f"{at}.entry.branch.1"), f"{at}.entry.branch.3")
            first = 1
        for j in range(2 - first):
            y = conv(norm_relu(x, f"{at}.sublayers.{j}.0"), f"{at}.sublayers.{j}.2")
            x = x + conv(norm_relu(y, f"{at}.sublayers.{j}.3"), f"{at}.sublayers.{j}.5")
    return norm_relu(x, "norm")


@pytest.mark.parametrize("mixing", ["residual", "uniform"])
def test_the_control_of_conv_18_is_a_pre_norm_resnet(mixing: str) -> None:
    trunk = stirred(small("conv-18", depths=(2, 2, 2, 2), mixing=mixing)).double()
    images = images_of(2, 64, 64).double()
    tolerance = {"residual": 1e-9, "uniform": 1e-3}[mixing]  # the norms' eps weighs more on a mean than on a sum
    expected = plain_prenorm_resnet(images, trunk.state_dict())
    torch.testing.assert_close(trunk(images), expected, rtol=0, atol=tolerance * float(expected.abs().max()))
