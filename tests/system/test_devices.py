"""What a training does to torch's process-wide settings ends with it."""

from __future__ import annotations

import pytest
import torch

from trunkzoo.system.devices import float32_products


def allowed() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("tf32", [True, False])
def test_convolutions_and_matrix_products_are_rounded_alike(tf32: bool) -> None:
    before = allowed()
    with float32_products(tf32):
        assert allowed() == (tf32, tf32)
    assert allowed() == before
