"""Two arms on the same episode seeds: the difference, what could have been missed, and one plain sentence."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trunkzoo.statistics.intervals import FEWEST_EPISODES, Interval, Matrix, matrix, newcombe_paired, over_seeds, widest
from trunkzoo.statistics.measures import mean_difference, probability_of_improvement
from trunkzoo.statistics.power import detectable_mean

Measure = Literal["success", "average reward"]
DECIMALS = 12  # of a score; sums of equal rewards in another order differ after these, and a tie must stay a tie


class Comparison(NamedTuple):
    """Arm ``a`` against arm ``b``, paired by episode seed (and by the order of the training seeds)."""

    a: str
    b: str
    measure: Measure
    training_seeds: int
    episodes: int
    value_a: float
    value_b: float
    difference: Interval
    """a − b."""
    improvement: Interval
    """Probability that an episode of ``a`` beats one of ``b``, ties counting half."""
    wins: int
    ties: int
    losses: int
    detectable: float
    """Smallest true difference found four times in five by this many episodes that scatter as these do."""

    @property
    def decided(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        return self.episodes >= FEWEST_EPISODES and (self.difference.low > 0 or self.difference.high < 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; intervals as ``[value, low, high]``."""
        fields = {k: v.limits() if isinstance(v, Interval) else v for k, v in self._asdict().items()}
        fields["detectable"] = None if math.isnan(self.detectable) else self.detectable
        return {**fields, "decided": self.decided, "sentence": self.sentence()}

    def sentence(self) -> str:
        """Say in plain words what these episodes show, and for whom."""
        digits = self._digits()
        values = f"{self.a} {self.value_a:.{digits}f}, {self.b} {self.value_b:.{digits}f}"
        numbers = f"{values}, difference {self.difference.text(digits, signed=True)}"
        if self.episodes < FEWEST_EPISODES:
            said = "1 episode shows" if self.episodes == 1 else f"{self.episodes} episodes show"
            return f"{said} nothing about {self.measure}: {numbers}."
        if self.decided:
            better, worse = (self.a, self.b) if self.difference.value > 0 else (self.b, self.a)
            said = f"{better} is better than {worse} in {self.measure}: {numbers}"
            return f"{said} over {self.episodes} paired episodes. {self._scope()}"
        missed = f"a true difference under {self.detectable:.{digits}f} would probably be missed"
        return (
            f"No difference in {self.measure} that {self.episodes} episodes could show: {numbers}; "
            f"{missed if self.detectable else 'every episode gave the two arms equal scores'}. {self._scope()}"
        )

    def _digits(self) -> int:
        """Two, or as many as small rewards need to show how wide the interval is."""
        width = self.difference.high - self.difference.low
        return 2 if not 0 < width < 0.1 else 1 - math.floor(math.log10(width))

    def _scope(self) -> str:
        """What was repeated, and so what the interval speaks of."""
        if self.training_seeds == 1:
            return "One training seed: this speaks of two trained agents, not yet of two trunks."
        return (
            f"Repeated were the training ({self.training_seeds} seeds per arm) and the episode "
            f"({self.episodes} seeds, the same for all): the interval allows for both."
        )


def compare(name_a: str, a: ArrayLike, name_b: str, b: ArrayLike, measure: Measure) -> Comparison:
    """Compare score matrices (training seeds, episode seeds) of two arms; column j is the same episode seed.

    Raises:
        ValueError: the shapes differ, a score is NaN, or a success is neither 0 nor 1.
    """
    left, right = matrix(a).round(DECIMALS), matrix(b).round(DECIMALS)
    if left.shape != right.shape:
        raise ValueError(f"{name_a} has scores {left.shape}, {name_b} {right.shape}: pairs need equal shapes")
    if measure == "success" and not np.isin([left, right], (0, 1)).all():
        raise ValueError("success must be 0 or 1 in every episode")
    wins, losses = int(np.count_nonzero(left > right)), int(np.count_nonzero(left < right))
    return Comparison(
        a=name_a,
        b=name_b,
        measure=measure,
        training_seeds=left.shape[0],
        episodes=left.shape[1],
        value_a=float(left.mean()),
        value_b=float(right.mean()),
        difference=_rate_difference(left, right) if measure == "success" else over_seeds(mean_difference, left, right),
        improvement=over_seeds(probability_of_improvement, left, right, low=0.0, high=1.0),
        wins=wins,
        ties=left.size - wins - losses,
        losses=losses,
        detectable=_detectable(left - right, measure),
    )


def _rate_difference(a: Matrix, b: Matrix) -> Interval:
    """Newcombe's interval; with several training seeds the wider limits of it and the interval over seeds.

    Newcombe counts all pairs as independent; the other knows the seeds but has no width where all pairs agree.
    """
    both, only_a = np.count_nonzero((a == 1) & (b == 1)), np.count_nonzero(a > b)
    only_b = np.count_nonzero(a < b)
    pairs = newcombe_paired(int(both), int(only_a), int(only_b), int(a.size - both - only_a - only_b))
    return pairs if len(a) == 1 else widest(pairs, over_seeds(mean_difference, a, b, low=-1.0, high=1.0))


def _detectable(differences: Matrix, measure: Measure) -> float:
    """Detectable mean of the differences (S, E): by their scatter over episodes and, with several, over training seeds."""
    episodes, seeds = differences.mean(axis=0), differences.mean(axis=1)  # (E,), (S,)
    if len(episodes) < FEWEST_EPISODES:
        return math.nan
    if measure == "success":  # one made-up pair each way: agreement in n episodes is not agreement for ever
        episodes = np.append(episodes, [1.0, -1.0])
    found = detectable_mean(float(episodes.std(ddof=1)), differences.shape[1])
    if len(seeds) > 1:
        found = math.hypot(found, detectable_mean(float(seeds.std(ddof=1)), len(seeds)))
    return min(found, 1.0) if measure == "success" else found
