"""AttnRes trunks inside what wraps a trunk: torch.compile, torch.export and DDP.

In float64, where a wrong graph is far from rounding: in float32 the order of a processor's sums moves features by 1e-4.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from attnres_cases import FAMILIES, SPECS, images_of, small, with_queries
from zoo_process import script

COMPILED = [f if f == "conv-18" else pytest.param(f, marks=pytest.mark.slow) for f in SPECS]


@pytest.mark.parametrize("family", COMPILED)
def test_compiles_as_one_graph(family: str) -> None:
    trunk = with_queries(small(family, depths=(1, 1, 2, 1), carry=True, query_rank=2)).double()
    compiled = torch.compile(trunk, fullgraph=True, backend="aot_eager")
    images, weight = images_of(2, 64, 64).double(), trunk.get_parameter("stem.0.weight")
    ours, theirs = trunk(images), compiled(images)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-10)
    (expected,) = torch.autograd.grad(ours.pow(3).sum(), weight)  # squares of a normed output sum to a constant
    (gradient,) = torch.autograd.grad(theirs.pow(3).sum(), weight)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


@FAMILIES
def test_exports_with_a_free_batch(family: str) -> None:
    trunk = with_queries(small(family, depths=(1, 1, 2, 1))).double().eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(trunk, (images_of(2, 64, 64).double(),), dynamic_shapes=({0: batch},))
    with torch.no_grad():
        images = images_of(5, 64, 64).double()
        torch.testing.assert_close(program.module()(images), trunk(images), rtol=0, atol=1e-10)


@pytest.mark.slow
@FAMILIES
def test_a_compiled_trunk_computes_the_same(family: str) -> None:
    trunk = with_queries(small(family, depths=(1, 1, 2, 1))).double().eval()
    with torch.no_grad():
        images = images_of(2, 64, 64).double()
        theirs = torch.compile(trunk, fullgraph=True)(images)  # inductor keeps constants of attention in float32
        torch.testing.assert_close(theirs, trunk(images), rtol=0, atol=1e-5)


def test_trains_under_ddp_without_unused_parameters(tmp_path: Path) -> None:
    assert script(__file__, str(tmp_path / "meeting")).wait(timeout=300) == 0


def train_under_ddp(meeting: str) -> None:
    """In a process of its own: gloo's threads may outlive the group, and wait for an interpreter that waits for them."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
    for family in SPECS:
        wrapped = nn.parallel.DistributedDataParallel(small(family, carry=True, query_rank=2))
        for _ in range(2):  # the second pass raises if a parameter got no gradient in the first
            wrapped(images_of(2, 64, 64)).square().sum().backward()
    os._exit(0)


if __name__ == "__main__":
    train_under_ddp(sys.argv[1])
