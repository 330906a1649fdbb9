"""Looking after every training seed: equal arms stay equal, and a suite ends where it can."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkzoo.statistics.sequential import limits, look, looks, standard_error


def suites(rng: np.random.Generator, count: int, trainings: int, scenes: int, rate: float = 0.4) -> NDArray[np.float64]:
    """Successes (count, 2 arms, trainings, scenes) of equal arms: trainings differ (.08), scenes are hard or easy (.34)."""
    training = 0.084 * rng.normal(size=(count, 2, trainings, 1))
    scene = 0.34 * rng.normal(size=(count, 1, 1, scenes))
    return (rng.random((count, 2, trainings, scenes)) < rate + training + scene).astype(float)


def false_findings(count: int, trainings: int, scenes: int, alpha: float, rate: float, seed: int) -> float:
    """Share of suites of equal arms that some look calls different."""
    rng, critical, wrong = np.random.default_rng(seed), limits(trainings, alpha), 0
    for _ in range(count // 500):
        a, b = np.moveaxis(suites(rng, 500, trainings, scenes, rate), 1, 0)
        beyond = np.zeros(500, dtype=bool)
        for n in looks(trainings):
            error = standard_error(a[:, :n], b[:, :n], rate=True)
            beyond |= np.abs((a[:, :n] - b[:, :n]).mean((-2, -1))) > critical[n] * error
        wrong += int(beyond.sum())
    return wrong / count


@pytest.mark.parametrize(("trainings", "rate"), [(3, 0.4), (12, 0.4), (12, 0.05)])
def test_equal_arms_are_rarely_called_different(trainings: int, rate: float) -> None:
    assert false_findings(2000, trainings, 30, 0.05, rate, seed=1) < 0.065


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [3, 5, 8, 12])
@pytest.mark.parametrize("rate", [0.45, 0.03])
def test_at_most_one_of_twenty_suites_of_equal_arms_finds_a_difference(trainings: int, rate: float) -> None:
    """20 000 suites, a look after every training seed from the third; the error of the share is 0.0015."""
    assert false_findings(20_000, trainings, 60, 0.05, rate, seed=2) <= 0.05 + 2 * 0.0015


def test_the_limits_of_several_comparisons_share_five_in_a_hundred() -> None:
    """Three equal arms against one control: each is called different at some look in 5/3 %, any of them in at most 5 %."""
    found, arms = limits(6, 0.05 / 3), np.random.default_rng(3).standard_normal((20_000, 4, 6))
    differences = arms[:, 1:] - arms[:, :1]
    beyond = np.zeros((20_000, 3), dtype=bool)
    for n in looks(6):
        error = differences[..., :n].std(-1, ddof=1) / np.sqrt(n)
        beyond |= np.abs(differences[..., :n].mean(-1)) > found[n] * error
    assert beyond.mean() == pytest.approx(0.05 / 3, abs=0.002)
    assert 0.03 < beyond.any(-1).mean() <= 0.05


def test_a_clear_difference_ends_early_and_no_difference_becomes_futile() -> None:
    rng, critical = np.random.default_rng(4), limits(12)
    states = []
    for difference in (0.6, 0.0):
        base = rng.normal(0.4, 0.05, size=(12, 1)) + 0.1 * rng.normal(size=(12, 40))
        other = base + difference + rng.normal(0, 0.1, size=(12, 1))
        found = [look(other[:n], base[:n], critical, rate=False, detect=0.02) for n in looks(12)]
        states.append([seen.state for seen in found])
        assert found[-1].difference.low <= difference <= found[-1].difference.high
    assert "decided" in states[0][:4]
    assert "futile" in states[1][:-1]
    assert "decided" not in states[1]


def test_a_look_before_the_first_decides_nothing() -> None:
    seen = look(np.ones((2, 20)), np.zeros((2, 20)), limits(6), rate=True, detect=0.1)
    assert seen.state == "open"
    assert seen.difference == (1.0, -1.0, 1.0)  # rates cannot differ by more
    rewards = np.random.default_rng(0).normal(size=(2, 20))
    assert np.isinf(look(rewards, 2 * rewards, limits(6), rate=False, detect=0.1).difference.high)


def test_the_last_limit_is_little_above_students() -> None:
    """What looking ten times costs: 2.48 in place of 2.20."""
    found = limits(12)
    assert list(found) == list(range(3, 13))
    assert 2.2 < found[12] < 2.5
    assert limits(2) == {2: pytest.approx(12.706, abs=1e-3)}
    with pytest.raises(ValueError, match="needs two, better six"):
        limits(1)


def test_limits_repeat_themselves() -> None:
    assert limits(4) == limits(4)
