"""What a training does to torch's process-wide settings ends with it; a card is known by its whole name."""

from __future__ import annotations

import pytest
import torch

from trunkzoo.system.devices import bf16_peak, float32_products


def allowed() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("tf32", [True, False])
def test_convolutions_and_matrix_products_are_rounded_alike(tf32: bool) -> None:
    before = allowed()
    with float32_products(tf32):
        assert allowed() == (tf32, tf32)
    assert allowed() == before


@pytest.mark.parametrize(
    ("card", "tera"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("NVIDIA A10", 125),
        ("NVIDIA A10G", None),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("Tesla T4", None),
    ],
)
def test_peaks_belong_to_whole_names(card: str, tera: float | None) -> None:
    assert bf16_peak(card) == (None if tera is None else pytest.approx(tera * 1e12))
