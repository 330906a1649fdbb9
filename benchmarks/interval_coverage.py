"""How often each interval that a suite's page prints holds the true value, and how often equal arms come out as different.

Simulated suites of equal arms, with the variances that phase2-cpu's rows show: in success the training .084, the scene .343,
the rest .357 (as correlated normal numbers behind a threshold); in average reward .043, .169, .150.

    python benchmarks/interval_coverage.py                                # about five minutes of CPU time
    python benchmarks/interval_coverage.py --seed 7 --suites 2000 --episodes 20 --rate 0.05
    python benchmarks/interval_coverage.py --of scatter agents            # what tells of trainings' scatter; of one training
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trunkzoo.statistics import Comparison, Measure, adjust, compare, compare_arms, components, pool, summarize
from trunkzoo.statistics.power import detectable, detectable_range

Array = NDArray[np.float64]
TRAININGS = (2, 3, 5, 8, 12)
NAMES = ("first", "second", "third")
PAIRS = [("second", "first"), ("third", "first")]
LATENT_TRAINING, LATENT_SCENE = 0.044, 0.674  # shares of variance behind the threshold that give .084 and .343 at 1/2
MEAN_REWARD, REWARD = 0.32, (0.043, 0.169, 0.150)


class Suite(NamedTuple):
    """Scores (arms, trainings, scenes) of equal arms, and what each agent would score over all scenes (arms, trainings)."""

    success: Array
    reward: Array
    success_of_agent: Array
    reward_of_agent: Array


def draw(rng: np.random.Generator, trainings: int, episodes: int, rate: float, arms: int = len(NAMES)) -> Suite:
    """One suite: scenes are the same for all arms and trainings, trainings are each arm's own."""

    def crossed(training: float, scene: float, rest: float) -> tuple[Array, Array]:
        agent: Array = training * rng.normal(size=(arms, trainings, 1))
        scores = agent + scene * rng.normal(size=(1, 1, episodes)) + rest * rng.normal(size=(arms, trainings, episodes))
        return scores, agent[..., 0]

    latent, agent = crossed(LATENT_TRAINING**0.5, LATENT_SCENE**0.5, (1 - LATENT_TRAINING - LATENT_SCENE) ** 0.5)
    reward, reward_of_agent = crossed(*REWARD)
    threshold = stats.norm.ppf(rate)
    succeeds = stats.norm.cdf((threshold - agent) / (1 - LATENT_TRAINING) ** 0.5)
    return Suite((latent < threshold).astype(float), MEAN_REWARD + reward, succeeds, MEAN_REWARD + reward_of_agent)


def held_scores(suite: Suite, rate: float) -> Iterator[tuple[str, bool]]:
    """By interval whether it holds the true value; by ``false findings`` and ``best`` whether the suite made no mistake."""
    summary = summarize(suite.success[0], suite.reward[0])
    yield "arm, success", summary.success.low <= rate <= summary.success.high
    yield "arm, average reward", summary.reward_mean.low <= MEAN_REWARD <= summary.reward_mean.high
    of_measures: dict[Measure, NDArray[np.float64]] = {"success": suite.success, "average reward": suite.reward}
    found: list[Comparison] = []
    for measure, scores in of_measures.items():
        of = compare_arms(dict(zip(NAMES, scores, strict=True)), PAIRS, measure)
        yield f"pair alone, {measure}", of[0].difference.low <= 0 <= of[0].difference.high
        yield f"pooled, {measure}", all(c.pooled.low <= 0 <= c.pooled.high for c in of[:1] if c.pooled)
        yield f"both at once, {measure}", all(c.together.low <= 0 <= c.together.high for c in of if c.together)
        yield f"first among best, {measure}", "first" in pool(dict(zip(NAMES, scores, strict=True))).best()
        found += of
    yield "no false finding in the suite", not any(c.holds for c in adjust(found))


@cache
def training_deviation(rate: float) -> float:
    """How far trainings of one arm scatter in their true success rate, as a standard deviation."""
    threshold = float(stats.norm.ppf(rate))
    both = stats.multivariate_normal.cdf([threshold, threshold], cov=[[1, LATENT_TRAINING], [LATENT_TRAINING, 1]])
    return math.sqrt(float(both) - rate**2)


def held_scatter(suite: Suite, rate: float) -> Iterator[tuple[str, bool]]:
    """Of what a page says of the trainings' scatter: its limits (95 %), and where the difference that could be found may lie (80 %)."""
    trainings, episodes = suite.reward.shape[1:]
    for name, scores, true in (
        ("success", suite.success, training_deviation(rate)),
        ("average reward", suite.reward, REWARD[0]),
    ):
        found = components(list(scores))
        yield f"trainings' deviation, {name}", found is not None and found.low <= true <= found.high
    parts = pool(dict(zip(NAMES, suite.reward, strict=True))).parts
    error = (2 * (REWARD[0] ** 2 + REWARD[2] ** 2 / episodes) / trainings) ** 0.5
    low, high = detectable_range(float(parts.error), parts.freedom)
    yield "could be found, average reward (80 %)", low <= detectable(error, parts.freedom) <= high


def held_agents(suite: Suite, rate: float) -> Iterator[tuple[str, bool]]:
    """Of one training: the intervals speak of the agents that were trained, over all scenes that there are."""
    del rate
    first, second = suite.success[:2, 0], suite.reward[:2, 0]
    summary = summarize(first[:1], second[:1])
    yield "agent, success", summary.success.low <= suite.success_of_agent[0, 0] <= summary.success.high
    yield "agent, average reward", summary.reward_mean.low <= suite.reward_of_agent[0, 0] <= summary.reward_mean.high
    of: tuple[tuple[Measure, Array, Array], ...] = (
        ("success", first, suite.success_of_agent[:, 0]),
        ("average reward", second, suite.reward_of_agent[:, 0]),
    )
    for measure, (a, b), true in of:
        found = compare("first", a, "second", b, measure).difference
        yield f"two agents, {measure}", found.low <= true[0] - true[1] <= found.high


KINDS = {"scores": held_scores, "scatter": held_scatter, "agents": held_agents}


def coverage(
    trainings: int,
    suites: int,
    episodes: int = 60,
    rate: float = 0.45,
    seed: int = 0,
    kinds: Sequence[str] = ("scores",),
) -> dict[str, float]:
    """Share of simulated suites in which each interval holds the true value."""
    rng, counts = np.random.default_rng((seed, trainings)), dict[str, int]()
    for _ in range(suites):
        suite = draw(rng, trainings, episodes, rate)
        for name, holds in (each for kind in kinds for each in KINDS[kind](suite, rate)):
            counts[name] = counts.get(name, 0) + int(holds)
    return {name: count / suites for name, count in counts.items()}


def main() -> None:
    """Print a table of coverages; those outside of 93 to 97 % are marked."""
    parser = argparse.ArgumentParser(description="Coverage of a suite's intervals by simulation.")
    parser.add_argument("--suites", type=int, default=400, help="per number of trainings")
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--rate", type=float, default=0.45, help="true success rate of every arm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", choices=tuple(KINDS), nargs="+", default=["scores"], help="which intervals")
    given = parser.parse_args()
    found = {n: coverage(n, given.suites, given.episodes, given.rate, given.seed, given.of) for n in TRAININGS}
    print(f"{'trainings':32s}" + "".join(f"{n:>9d}" for n in TRAININGS))
    for name in found[TRAININGS[0]]:
        values = [found[n][name] for n in TRAININGS]
        print(f"{name:32s}" + "".join(f"{v:8.3f}{' ' if 0.93 <= v <= 0.97 else '*'}" for v in values))
    print(f"* outside of 0.93 … 0.97; the error of a share is {(0.05 * 0.95 / given.suites) ** 0.5:.3f}")


if __name__ == "__main__":
    main()
