"""Intervals of a suite's page hold the true value as often as they say, in suites that scatter as the published rows do."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "interval_coverage.py"
SUITES = 300


def error(share: float) -> float:
    """Monte-Carlo error of a share of so many suites."""
    return float(np.sqrt(share * (1 - share) / SUITES))


@pytest.fixture(scope="module")
def coverage() -> Callable[..., dict[str, float]]:
    """The simulation of benchmarks/interval_coverage.py."""
    found: Callable[..., dict[str, float]] = runpy.run_path(str(SCRIPT))["coverage"]
    return found


def test_simulated_suites_scatter_as_the_published_rows_do() -> None:
    """Variance components of success at a rate of one half: training .084, scene .343, rest .357."""
    from trunkzoo.statistics import components

    module = runpy.run_path(str(SCRIPT))
    draws = [module["draw"](np.random.default_rng(seed), 12, 60, 0.5, arms=1).success[0] for seed in range(200)]
    found = [found for scores in draws if (found := components([scores]))]
    means = [np.sqrt(np.mean([value**2 for value in of])) for of in zip(*found, strict=True)]
    training, _, _, scene, rest, _ = means
    assert (float(training), float(scene), float(rest)) == pytest.approx((0.084, 0.343, 0.357), abs=0.015)


def test_few_simulated_suites_hold_the_true_values(coverage: Callable[..., dict[str, float]]) -> None:
    found = coverage(5, suites=25, episodes=30, kinds=("scores", "scatter", "agents"))
    assert len(found) == 18
    assert min(share for name, share in found.items() if "80 %" not in name) > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.45, 0.1])
def test_what_a_page_says_of_scatter_and_of_single_agents(
    rate: float, coverage: Callable[..., dict[str, float]]
) -> None:
    """95 % of the limits of a deviation and of intervals of one training, 80 % of where the difference that could be found lies."""
    for trainings in (2, 5, 12):
        for name, share in coverage(trainings, SUITES, rate=rate, seed=12, kinds=("scatter", "agents")).items():
            meant = 0.8 if "80 %" in name else 0.95
            assert share == pytest.approx(meant, abs=0.03 + 3 * error(meant)), (name, trainings)


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [2, 3, 5, 8, 12])
def test_every_interval_covers_as_it_says(trainings: int, coverage: Callable[..., dict[str, float]]) -> None:
    """At least 93 % everywhere; at most 97 % from five trainings on, where three leave some intervals wider, and two most."""
    found = coverage(trainings, SUITES, seed=11)
    least, most = 0.93, {2: 1.0, 3: 0.975}.get(trainings, 0.97)
    low = {name: share for name, share in found.items() if share < least - 2 * error(least)}
    wide = {name: share for name, share in found.items() if share > most + 2 * error(most)}
    assert not low
    assert wide.keys() <= {"no false finding in the suite"}
