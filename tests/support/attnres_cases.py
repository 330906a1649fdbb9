"""Small AttnRes trunks of every family, and images for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trunkzoo_attnres import trunkzoo_trunks
from trunkzoo_attnres.model import AttnResTrunk

SPECS = {spec.name.removeprefix("attnres-"): spec for spec in trunkzoo_trunks()}
FAMILIES = pytest.mark.parametrize("family", SPECS)
SMALL = {"widths": (16, 32, 48, 64), "heads": (1, 2, 3, 4), "depths": (2, 2, 3, 2)}


def small(family: str, **settings: Any) -> AttnResTrunk:
    """A trunk of the family with a twentieth of its numbers, and these settings; the same in every call."""
    torch.manual_seed(0)
    spec = SPECS[family]
    return AttnResTrunk(spec.config(**{**spec.defaults, **SMALL, **settings}))


def with_queries(trunk: AttnResTrunk) -> AttnResTrunk:
    """Queries as after some training, so that the weights differ from uniform."""
    for name, parameter in trunk.named_parameters():
        if name.endswith("query"):
            nn.init.normal_(parameter, std=0.3)
    return trunk


def images_of(n: int, *size: int) -> Tensor:
    """Normally distributed images (n, 3, *size), the same in every call."""
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(1))
