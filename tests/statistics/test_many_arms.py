"""Statistics of a whole suite, against statsmodels, published tables and simulated experiments."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.multitest import multipletests

from trunkzoo.statistics import (
    Spread,
    adjust,
    compare,
    compare_arms,
    components,
    dunnett,
    holm,
    pool,
    trainings_needed,
)
from trunkzoo.statistics.variance import Parts, mean_squares


def trials(
    rng: np.random.Generator, *shape: int, training: float, scene: float, rest: float, shared: float = 0.0
) -> NDArray[np.float64]:
    """Normal scores (…, arms, trainings, scenes): each arm's own trainings, scenes that all share, and the rest."""
    *lead, arms, seeds, scenes = shape
    return (
        training * rng.normal(size=(*lead, arms, seeds, 1))
        + shared * rng.normal(size=(*lead, 1, seeds, 1))
        + scene * rng.normal(size=(*lead, 1, 1, scenes))
        + rest * rng.normal(size=shape)
    )


@pytest.mark.parametrize("ps", [[0.01, 0.04, 0.03, 0.005], [0.5], [0.02, 0.02, 0.9], [0.0, 1.0]])
def test_holm_equals_statsmodels(ps: list[float]) -> None:
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])


@pytest.mark.parametrize(
    ("arms", "freedom", "sides", "value"),
    [(1, 20, 2, 2.09), (2, 20, 2, 2.38), (4, 20, 2, 2.65), (4, 8, 2, 3.02), (4, 20, 1, 2.30), (2, 10, 1, 2.15)],
)
def test_dunnett_equals_his_table(arms: int, freedom: int, sides: int, value: float) -> None:
    assert dunnett(arms, freedom, sides) == pytest.approx(value, abs=0.006)


def test_mean_squares_equal_an_analysis_of_variance() -> None:
    """Arms × trainings × scenes as statsmodels splits them."""
    scores = trials(np.random.default_rng(0), 3, 4, 5, training=0.3, scene=0.2, rest=0.4, shared=0.5)
    numbers = dict(zip(("arm", "training", "scene"), np.indices(scores.shape).reshape(3, -1), strict=True))
    frame = pytest.importorskip("pandas").DataFrame({"score": scores.ravel(), **numbers})
    whole = "score ~ C(arm) * C(training) + C(arm) * C(scene) + C(training) * C(scene)"
    found = sm.stats.anova_lm(ols(whole, frame).fit())
    ours = mean_squares(scores)
    assert ours.training == pytest.approx(found.mean_sq["C(arm):C(training)"])
    assert ours.scene == pytest.approx(found.mean_sq["C(arm):C(scene)"])
    assert ours.rest == pytest.approx(found.mean_sq["Residual"])
    assert ours.df == found.df["C(arm):C(training)"]


def test_components_find_what_was_put_in() -> None:
    scores = trials(np.random.default_rng(1), 40, 30, 60, training=0.08, scene=0.34, rest=0.36, shared=0.05)
    own = components(list(scores))
    assert own is not None
    assert own.training == pytest.approx(math.hypot(0.08, 0.05), rel=0.15)  # 30 trainings are what all arms share
    assert own.scene == pytest.approx(0.34, rel=0.1)
    assert own.rest == pytest.approx(0.36, rel=0.01)
    assert own.low < own.training < own.high
    between = components(list(scores), difference=True)
    assert between is not None
    assert between.training == pytest.approx(0.08 * math.sqrt(2), rel=0.08)  # what all arms share cancels
    assert between.scene < 0.03
    assert between.rest == pytest.approx(0.36 * math.sqrt(2), rel=0.01)


def test_one_training_or_one_arm_has_no_such_components() -> None:
    assert components([np.zeros((1, 9))]) is None
    assert components([np.zeros((3, 9))], difference=True) is None


def test_two_arms_alone_are_students_paired_t() -> None:
    """Where scenes have no part of their own, the pair's p is that of the trainings' means."""
    scores = trials(np.random.default_rng(2), 2, 6, 400, training=0.2, scene=0.3, rest=0.01)
    theirs = stats.ttest_rel(*scores.mean(-1))
    assert compare("a", scores[0], "b", scores[1], "average reward").p == pytest.approx(theirs.pvalue, rel=0.02)


def test_p_is_that_of_the_interval_that_just_leaves_zero_out() -> None:
    parts = Parts(0.05, 2, 0.03, 59)
    for difference in (0.02, 0.1, 0.4):
        assert parts.half(1 - parts.p(difference)) == pytest.approx(difference)
    assert parts._replace(scene=0.0).p(0.1) == pytest.approx(2 * stats.t.sf(2.0, 2))
    assert (parts.p(0.0), Parts(0.0, 2, 0.0, 9).p(0.1)) == (1.0, 0.0)
    assert parts.at_least(0.2).error == pytest.approx(0.2)
    assert parts.at_least(0.01) == parts


def test_pooling_narrows_three_trainings_and_keeps_the_pairs_own() -> None:
    rng = np.random.default_rng(3)
    drawn = trials(rng, 5, 5, 3, 30, training=0.1, scene=0.3, rest=0.3)
    pooled, own = [], []
    for scores in drawn:
        found = compare_arms(dict(zip("abcde", scores, strict=True)), [("b", "a"), ("c", "a")], "average reward")
        assert found[0].difference == compare("b", scores[1], "a", scores[0], "average reward").difference
        assert found[0].together is not None
        assert found[0].pooled is not None
        assert found[0].together.low < found[0].pooled.low
        pooled.append(found[0].pooled.high - found[0].pooled.low)
        own.append(found[0].difference.high - found[0].difference.low)
    assert np.mean(pooled) < 0.8 * np.mean(own)


def test_pooled_intervals_hold_the_true_difference() -> None:
    """1000 suites of five equal arms and three trainings: 95 % of the intervals hold zero, and 95 % of suites in all."""
    drawn = trials(np.random.default_rng(4), 1000, 5, 3, 20, training=0.1, scene=0.3, rest=0.3)
    parts, means = mean_squares(drawn).parts, drawn.mean((-2, -1))
    differences = np.abs(means[:, 1:] - means[:, :1]) / math.sqrt(2)
    assert np.mean(differences[:, 0] <= parts.half()) == pytest.approx(0.95, abs=0.02)
    assert np.mean(differences.max(1) <= dunnett(4, 8) * parts.error) == pytest.approx(0.95, abs=0.02)


def test_the_best_arm_is_among_the_best() -> None:
    """Two equal arms lead a third by little: in 95 % of experiments neither of them is left out."""
    drawn = trials(np.random.default_rng(5), 120, 3, 5, 20, training=0.1, scene=0.3, rest=0.3)
    kept = [set(pool(dict(zip("abc", scores, strict=True))).best()) for scores in drawn]
    assert np.mean(["a" in best for best in kept]) > 0.9
    far = drawn[0] + np.array([0.0, 0.0, -3.0])[:, None, None]
    assert pool(dict(zip("abc", far, strict=True))).best() == ("a", "b")


def test_a_finding_among_many_is_named_as_what_it_is() -> None:
    rng = np.random.default_rng(6)
    arms = {name: rng.normal(size=(1, 60)) * 0.2 for name in "abcdefghij"}
    arms["b"] = arms["a"] + 0.06 + 0.2 * rng.normal(size=(1, 60))
    found = adjust(compare_arms(arms, [(name, "a") for name in "bcdefghij"], "average reward"))
    assert found[0].decided
    assert not found[0].holds
    assert found[0].sentence().startswith("Taken alone, b is better than a in average reward")
    assert "does not hold as one of the 9 comparisons" in found[0].sentence()
    alone = adjust(compare_arms(arms, [("b", "a")], "average reward"))[0]
    assert alone.holds
    assert alone.sentence().startswith("b is better than a")


def test_few_trainings_print_how_well_the_detectable_difference_is_known() -> None:
    scores = trials(np.random.default_rng(8), 2, 3, 60, training=0.1, scene=0.3, rest=0.3)
    comparison = compare("a", scores[0], "b", scores[1], "average reward")
    low, high = comparison.detectable_range
    assert low < comparison.detectable < high
    assert f"({low:.2f} to {high:.2f}, as far as 3 trainings per arm tell)" in comparison.sentence()


def test_agreement_in_three_trainings_is_no_certainty() -> None:
    """One more success in every training: the spread over trainings is zero, that of the pairs is not."""
    a, b = np.zeros((3, 60)), np.zeros((3, 60))
    a[:, 0] = 1
    comparison = compare("a", a, "b", b, "success")
    assert not comparison.decided
    assert comparison.p > 0.05
    assert comparison.detectable > 0.02


@pytest.mark.parametrize(
    ("training", "episodes", "needed"), [(0.099, 60, 13), (0.099, 100, 12), (0.06, 100, 7), (0.03, 100, 5)]
)
def test_trainings_needed_for_a_tenth(training: float, episodes: int, needed: int) -> None:
    assert trainings_needed(0.1, Spread(training, 0.487), episodes) == needed


def test_as_many_trainings_as_are_needed_find_it_four_times_in_five() -> None:
    spread, episodes = Spread(0.15, 0.4), 20
    needed = trainings_needed(0.2, spread, episodes)
    assert needed is not None
    rng = np.random.default_rng(8)
    for count, power in ((needed, 0.8), (needed - 1, 0.75)):
        seen = rng.normal(0.2, spread.error(1, episodes), size=(20_000, count))
        share = (stats.ttest_1samp(seen, 0, axis=1).pvalue < 0.05).mean()
        assert share > power - 0.02
    assert share < 0.81


def test_what_no_number_of_trainings_finds() -> None:
    assert trainings_needed(0.001, Spread(0.5, 0.5), 10) is None
    with pytest.raises(ValueError, match="cannot be planned for"):
        trainings_needed(0.0, Spread(0.1, 0.4), 10)


def test_more_arms_need_fewer_trainings() -> None:
    needed = [trainings_needed(0.1, Spread(0.1, 0.4), 60, arms) for arms in (2, 3, 6)]
    assert all(now is not None and later is not None and now >= later for now, later in pairwise(needed))
    assert needed[0] != needed[-1]


@pytest.mark.parametrize("freedom", [2, 4, 11, 500])
def test_dunnett_for_one_comparison_is_students_t(freedom: int) -> None:
    found = dunnett(1, freedom), dunnett(1, freedom, sides=1)
    assert found == pytest.approx((stats.t.ppf(0.975, freedom), stats.t.ppf(0.95, freedom)), abs=1e-5)
