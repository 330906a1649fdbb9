"""A linear read-out finds what is there, and claims nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from trunkzoo.statistics.ridge import PENALTIES, read_out_error, ridge

RNG = np.random.default_rng(3)


def test_the_map_solves_the_normal_equations_of_one_of_its_penalties() -> None:
    features, targets = RNG.normal(size=(60, 7)) * np.arange(1, 8), RNG.normal(size=(60, 2))
    read = ridge(features, targets)
    scaled = (features - features.mean(0)) / features.std(0)
    solutions = [
        np.linalg.solve(scaled.T @ scaled + penalty * np.eye(7), scaled.T @ (targets - targets.mean(0)))
        for penalty in PENALTIES
    ]
    misses = [float(np.abs(scaled @ weights + targets.mean(0) - read(features)).max()) for weights in solutions]
    assert min(misses) < 1e-9


def test_a_linear_map_is_read_exactly_even_beside_many_empty_features() -> None:
    targets = RNG.normal(size=(200, 3))
    features = np.concatenate([targets @ RNG.normal(size=(3, 5)), np.ones((200, 4))], axis=1)
    assert read_out_error(features, targets) < 1e-3


@pytest.mark.parametrize("columns", [1, 30, 300])
def test_noise_is_worth_no_more_than_the_mean_however_many_columns_it_has(columns: int) -> None:
    targets = RNG.normal(size=(200, 2))
    guess = float(np.linalg.norm(targets - targets.mean(0), axis=1).mean())
    assert read_out_error(RNG.normal(size=(200, columns)), targets) == pytest.approx(guess, rel=0.1)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="19 samples: a read-out needs 20"):
        read_out_error(np.zeros((19, 2)), np.zeros((19, 2)))
