"""Median and interquartile mean are those of numpy and scipy, and their limits those of every resample written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trunkzoo.statistics import bootstrap, interquartile_mean, median
from trunkzoo.statistics.middle import middle


@pytest.mark.parametrize("shape", [(1, 5), (1, 60), (2, 7), (3, 61), (10, 40)])
def test_limits_are_those_of_all_resamples_written_out(shape: tuple[int, int]) -> None:
    scores = np.random.default_rng(3).normal(size=shape).round(1)  # with ties
    for found, statistic in zip(middle(scores), (median, interquartile_mean), strict=True):
        plain = bootstrap(statistic, scores)
        trainings = statistic(scores)
        half = stats.sem(trainings) * stats.t.ppf(0.975, len(trainings) - 1) if len(trainings) > 1 else 0.0
        wide = (plain.value, min(plain.low, plain.value - half), max(plain.high, plain.value + half))
        assert found == pytest.approx(wide, abs=1e-12)


def test_few_episodes_have_no_limits() -> None:
    for found in middle(np.array([[0.0, 1.0, 5.0, 2.0]])):
        assert found.value == 1.5
        assert np.isnan(found.low)
        assert np.isnan(found.high)
