"""Statistics against scipy, statsmodels, closed forms and exact enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from trunkzoo.statistics import (
    Interval,
    bootstrap,
    compare,
    detectable_mean,
    detectable_rate,
    interquartile_mean,
    mean,
    newcombe_paired,
    probability_of_improvement,
    summarize,
    wilson,
)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 20), (1, 20), (13, 20), (20, 20), (130, 200), (7, 9)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_equals_statsmodels(k: int, n: int, confidence: float) -> None:
    low, high = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    assert wilson(k, n, confidence) == pytest.approx((k / n, low, high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_impossible_counts(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes in"):
        wilson(k, n)


@pytest.mark.parametrize(("p", "q"), [((3, 5), (2, 5)), ((1, 2), (1, 5)), ((4, 5), (1, 10))])
def test_newcombe_paired_equals_the_independent_interval_without_correlation(
    p: tuple[int, int], q: tuple[int, int]
) -> None:
    n = 100
    a, b = p[0] * n // p[1], q[0] * n // q[1]
    both = a * b // n  # the product of the margins: φ = 0
    ours = newcombe_paired(both, a - both, b - both, n - a - b + both)
    low, high = confint_proportions_2indep(a, n, b, n, compare="diff", method="newcomb")
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize("cells", [(0.4, 0.3, 0.1, 0.2), (0.6, 0.05, 0.05, 0.3), (0.85, 0.05, 0.05, 0.05)])
def test_newcombe_paired_covers_the_true_difference(cells: tuple[float, ...]) -> None:
    n, covered = 12, 0.0
    for counts in itertools.product(range(n + 1), repeat=3):
        if sum(counts) <= n:
            table = (*counts, n - sum(counts))
            interval = newcombe_paired(*table)
            if interval.low <= cells[1] - cells[2] <= interval.high:
                covered += stats.multinomial.pmf(table, n, cells)
    assert covered > 0.93


def test_newcombe_paired_swaps_signs_with_its_arms() -> None:
    forward, backward = newcombe_paired(9, 5, 2, 4), newcombe_paired(9, 2, 5, 4)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))


def test_newcombe_paired_keeps_a_width_when_every_pair_agrees() -> None:
    interval = newcombe_paired(20, 0, 0, 0)
    assert interval.low < -0.1
    assert interval.high > 0.1


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_bootstrap_of_one_seed_equals_scipy(statistic: Callable[..., Any]) -> None:
    scores = np.random.default_rng(3).gamma(2.0, size=40)
    theirs = stats.bootstrap((scores,), statistic, n_resamples=20_000, method="percentile", random_state=1)
    ours = bootstrap(statistic, scores)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.value == pytest.approx(statistic(scores))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.05 * width)


def test_bootstrap_over_seeds_has_the_variance_of_a_crossed_design() -> None:
    """Rows and columns drawn independently: Var = σ²_rows/S + σ²_columns/E for additive scores."""
    rng = np.random.default_rng(5)
    rows, columns = rng.normal(size=(8, 1)), rng.normal(size=(1, 60))
    interval = bootstrap(mean, rows + columns)
    deviation = math.sqrt(rows.var() / 8 + columns.var() / 60)
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(deviation, rel=0.06)


def test_bootstrap_keeps_pairs_together() -> None:
    scores = np.random.default_rng(0).normal(size=30)
    assert bootstrap(lambda a, b: (a - b).mean(-1), scores + 0.5, scores) == pytest.approx((0.5, 0.5, 0.5))


def test_bootstrap_repeats_itself() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 20))
    assert bootstrap(mean, scores) == bootstrap(mean, scores)


@pytest.mark.parametrize("n", [1, 4])
def test_bootstrap_of_few_episodes_has_no_limits(n: int) -> None:
    interval = bootstrap(mean, [0.25] * n)
    assert interval.limits() == [0.25, None, None]
    assert interval.text() == "0.25"


def test_few_episodes_decide_nothing() -> None:
    comparison = compare("a", [0.9, 0.8, 0.9], "b", [0.1, 0.1, 0.2], "average reward")
    assert not comparison.decided
    assert comparison.sentence().startswith("3 episodes show nothing")
    assert compare("a", [1], "b", [0], "success").sentence().startswith("1 episode shows nothing")


def test_seeds_that_disagree_limit_what_can_be_detected() -> None:
    """Many episodes do not make up for three trainings that went different ways."""
    a, b = np.repeat([[0.2], [0.5], [0.8]], 200, axis=1), np.full((3, 200), 0.5)
    comparison = compare("a", a, "b", b, "average reward")
    assert comparison.detectable == pytest.approx(detectable_mean(0.3, 3))


def test_interquartile_mean_cuts_a_quarter_at_either_end() -> None:
    assert interquartile_mean(np.array([-100.0, 1, 2, 3, 4, 5, 6, 900])) == pytest.approx(3.5)


def test_probability_of_improvement_is_mann_whitneys_u() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 5, 17).astype(float), rng.integers(0, 4, 17).astype(float)
    u = stats.mannwhitneyu(a, b).statistic
    assert probability_of_improvement(a, b) == pytest.approx(u / 17**2)


@pytest.mark.parametrize("n", [3, 20, 200])
def test_detectable_mean_equals_statsmodels(n: int) -> None:
    effect = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert detectable_mean(0.4, n) == pytest.approx(effect * 0.4, rel=1e-4)


@pytest.mark.parametrize(("n", "difference"), [(50, 0.27), (100, 0.19), (200, 0.13), (500, 0.084)])
def test_detectable_rate_of_known_sizes(n: int, difference: float) -> None:
    assert detectable_rate(0.65, n) == pytest.approx(difference, abs=0.005)


def test_a_clear_difference_is_named_with_its_direction() -> None:
    comparison = compare("old", [0] * 18 + [1] * 2, "new", [1] * 20, "success")
    assert comparison.decided
    assert comparison.sentence().startswith("new is better than old in success: old 0.10, new 1.00, difference -0.90")
    assert (comparison.wins, comparison.ties, comparison.losses) == (0, 2, 18)


def test_a_null_result_says_what_it_could_have_missed() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 2, (2, 20))
    comparison = compare("old", a, "new", b, "success")
    assert comparison.sentence().startswith("No difference in success that 20 episodes could show")
    assert (
        f"a true difference of {comparison.detectable:.2f} would be found four times in five" in comparison.sentence()
    )
    beyond = max(-comparison.difference.low, comparison.difference.high)
    assert f"differences beyond ± {beyond:.2f} are excluded" in comparison.sentence()
    assert "not yet of two trunks" in comparison.sentence()


def test_equal_successes_do_not_claim_endless_resolution() -> None:
    comparison = compare("a", [1] * 20, "b", [1] * 20, "success")
    assert comparison.detectable > 0.1
    assert not comparison.decided


def test_seeds_widen_the_interval_of_a_rate_difference() -> None:
    """Three agents that always win and three of which one always loses: 600 pairs, but only three seeds."""
    a, b = np.ones((3, 200)), np.repeat([[1.0], [1.0], [0.0]], 200, axis=1)
    assert compare("a", a, "b", b, "success").difference.low < 0


@pytest.mark.parametrize("seeds", [2, 3])
def test_few_trainings_that_differ_rarely_make_equal_arms_different(seeds: int) -> None:
    """The trainings of both arms scatter alike; resampling two or three of them alone claims a difference in 25 to 50 %."""
    rng = np.random.default_rng(0)
    arms = rng.normal(size=(40, 2, seeds, 1)) + 0.1 * rng.normal(size=(40, 2, seeds, 20))
    claims = sum(compare("a", a, "b", b, "average reward").decided for a, b in arms)
    assert claims <= 5


def test_the_interval_of_three_trainings_reaches_as_far_as_students_t() -> None:
    """Differences of 0.1, 0.2 and 0.6 in every episode: what is repeated is the training."""
    a, b = np.repeat([[0.1], [0.2], [0.6]], 30, axis=1), np.zeros((3, 30))
    t = stats.ttest_1samp([0.1, 0.2, 0.6], 0).confidence_interval()
    comparison = compare("a", a, "b", b, "average reward")
    assert comparison.difference == pytest.approx((0.3, t.low, t.high))
    assert "3 seeds per arm" in comparison.sentence()
    assert summarize(a > 0.15, a).reward_mean == pytest.approx((0.3, t.low, t.high))
    success = summarize(a > 0.15, a).success
    assert success.low < 0.05  # two of three trainings are worth less than one episode here
    assert success.high > 0.95


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 6 scores are NaN or infinite"):
        compare("a", [0.1] * 5 + [bad], "b", [0.2] * 6, "average reward")
    with pytest.raises(ValueError, match="NaN"):
        summarize([bad] + [1] * 5, [0.1] * 6)


def test_sums_in_another_order_are_a_tie() -> None:
    comparison = compare("a", [0.1 + 0.2] * 6, "b", [0.3] * 6, "average reward")
    assert (comparison.ties, comparison.decided) == (6, False)
    assert "every episode gave the two arms equal scores" in comparison.sentence()


def test_small_rewards_are_written_with_enough_digits() -> None:
    a = 0.004 + 0.001 * np.random.default_rng(0).normal(size=50)
    assert (
        "a 0.00413, b 0.00000, difference +0.00413 [+0.00388, "
        in compare("a", a, "b", a * 0, "average reward").sentence()
    )


def test_an_interval_of_rounding_errors_reads_as_zero() -> None:
    interval = Interval(-1e-17, -5e-17, 4e-17)
    assert interval.text(interval.digits, signed=True) == "+0.00 [+0.00, +0.00]"


def test_reward_comparison_agrees_with_the_t_interval_on_many_episodes() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.5, 0.2, 400), rng.normal(0.4, 0.2, 400)
    comparison = compare("a", a, "b", b, "average reward")
    low, high = stats.ttest_rel(a, b).confidence_interval()
    assert (comparison.difference.low, comparison.difference.high) == pytest.approx((low, high), abs=0.003)


def test_unequal_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match="pairs need equal shapes"):
        compare("a", [1, 0], "b", [1, 0, 1], "success")


def test_summary_counts_all_seeds_and_keeps_json_plain() -> None:
    summary = summarize([[1, 0, 1], [1, 1, 1]], [[0.5, 0.1, 0.4], [0.6, 0.5, 0.3]])
    assert (summary.successes, summary.training_seeds, summary.episodes) == (5, 2, 3)
    assert summary.success.low < wilson(5, 6).low < summary.success.value == 5 / 6 < summary.success.high <= 1
    assert summary.to_dict()["reward_mean"][0] == pytest.approx(0.4)
