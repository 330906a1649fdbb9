"""Normalisers map the data's range, survive constant dimensions and refuse missing statistics."""

from typing import get_args

import pytest
import torch

from trunkzoo.agent.normalizer import Normalizer
from trunkzoo.errors import DataError
from trunkzoo.registry.recipe import NormKind

STATS = {
    "action": {
        "min": [-2.0, 5.0, 0.0],
        "max": [4.0, 5.0, 1e-9],
        "mean": [1.0, 5.0, 0.0],
        "std": [2.0, 0.0, 1e-9],
        "q01": [-1.0, 5.0, 0.0],
        "q99": [3.0, 5.0, 0.0],
    }
}


def fitted(kind: NormKind) -> Normalizer:
    normalizer = Normalizer(kind, 3, "action")
    normalizer.fit(STATS)
    return normalizer


@pytest.mark.parametrize(("kind", "low", "high"), [("min_max", -2.0, 4.0), ("quantile", -1.0, 3.0)])
def test_range_maps_to_unit_interval(kind: NormKind, low: float, high: float) -> None:
    x = torch.tensor([[low, 5.0, 0.0], [high, 5.0, 0.0]])
    y = fitted(kind).normalize(x)
    torch.testing.assert_close(y[:, 0], torch.tensor([-1.0, 1.0]))


def test_mean_std() -> None:
    y = fitted("mean_std").normalize(torch.tensor([5.0, 5.0, 0.0]))
    torch.testing.assert_close(y, torch.tensor([2.0, 0.0, 0.0]))


@pytest.mark.parametrize("kind", get_args(NormKind))
def test_constant_dimensions_map_to_zero_and_back(kind: NormKind) -> None:
    normalizer = fitted(kind)
    y = normalizer.normalize(torch.tensor([1.0, 5.0, 0.0]))
    assert y[1].item() == 0
    torch.testing.assert_close(normalizer.denormalize(torch.zeros(3))[1], torch.tensor(5.0))


@pytest.mark.parametrize("kind", get_args(NormKind))
def test_round_trip(kind: NormKind) -> None:
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    normalizer = fitted(kind)
    torch.testing.assert_close(normalizer.denormalize(normalizer.normalize(x)), x, rtol=1e-5, atol=1e-6)


def test_unfitted_is_an_error() -> None:
    with pytest.raises(DataError, match="never trained"):
        Normalizer("min_max", 3, "action").normalize(torch.zeros(3))


def test_statistics_travel_in_the_state_dict() -> None:
    copy = Normalizer("min_max", 3, "action")
    copy.load_state_dict(fitted("min_max").state_dict())
    torch.testing.assert_close(copy.normalize(torch.tensor([4.0, 5.0, 0.0]))[0], torch.tensor(1.0))


@pytest.mark.parametrize(
    ("stats", "message"),
    [
        ({}, "lack 'min'"),
        ({"action": {"min": [0.0] * 3}}, "lack 'max'"),
        ({"action": {"min": [0.0] * 2, "max": [1.0] * 2}}, "width 2, not 3"),
        ({"action": {"min": [float("nan")] * 3, "max": [1.0] * 3}}, "not finite"),
    ],
)
def test_missing_or_broken_statistics_are_named(stats: dict[str, dict[str, list[float]]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Normalizer("min_max", 3, "action").fit(stats)
