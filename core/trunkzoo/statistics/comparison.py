"""A comparison of two arms: its numbers, whether it holds, and one plain sentence."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from trunkzoo.statistics.intervals import FEWEST_EPISODES, Interval

Measure = Literal["success", "average reward"]
LEVEL = 0.05


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
    """a − b, from these two arms alone."""
    improvement: float
    """Probability that an episode of ``a`` beats one of ``b``, ties counting half."""
    wins: int
    ties: int
    losses: int
    detectable: float
    """True difference that would be found four times in five by trainings and episodes that scatter as these do."""
    detectable_range: tuple[float, float]
    """Where ``detectable`` may lie, 80 %: it is guessed from few trainings."""
    p: float
    """Two-sided, with the training variance of all :attr:`arms`."""
    arms: int = 2
    """How many arms pooled their training variance."""
    pooled: Interval | None = None
    """a − b with the training variance pooled over :attr:`arms`, where there are more than two."""
    together: Interval | None = None
    """As ``pooled``, for all arms that are compared with ``b`` at once (Dunnett)."""
    family: int = 1
    """Comparisons that Holm's correction allows for."""
    adjusted: float | None = None
    """p after that correction."""

    @property
    def decided(self) -> bool:
        """Whether the interval of the difference, taken alone, leaves zero out."""
        return self.episodes >= FEWEST_EPISODES and (self.difference.low > 0 or self.difference.high < 0)

    @property
    def holds(self) -> bool:
        """Whether the difference holds among all comparisons of the suite (Holm); alone, whether it is decided."""
        return self.decided if self.adjusted is None else self.episodes >= FEWEST_EPISODES and self.adjusted <= LEVEL

    @property
    def sample(self) -> str:
        """What each arm was tried on, in words: so many episodes, or trainings of so many episodes."""
        episodes = f"{self.episodes} episodes"
        return episodes if self.training_seeds == 1 else f"{self.training_seeds} trainings of {episodes}"

    @property
    def widest(self) -> Interval:
        """The interval that allows for all arms if there is one, else the pair's own."""
        return self.pooled or self.difference

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; intervals as ``[value, low, high]``."""
        fields = {k: v.limits() if isinstance(v, Interval) else v for k, v in self._asdict().items()}
        known = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in fields.items()}
        reach = [None if math.isnan(x) else x for x in self.detectable_range]
        return {
            **known,
            "detectable_range": reach,
            "decided": self.decided,
            "holds": self.holds,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """Say in plain words what these episodes show, and for whom."""
        return _sentence(self)


def _sentence(found: Comparison) -> str:
    """What the episodes of a comparison show, and for whom."""
    digits = found.difference.digits
    numbers = _numbers(found, digits)
    if found.episodes < FEWEST_EPISODES:
        said = "1 episode shows" if found.episodes == 1 else f"{found.episodes} episodes show"
        return f"{said} nothing about {found.measure}: {numbers}."
    if found.holds or found.decided:
        return f"{_better(found)}: {numbers} over {found.sample}, paired.{_corrected(found)} {_scope(found)}"
    return (
        f"No difference in {found.measure} that {found.sample} could show: {numbers}; "
        f"{_missed(found, digits)}. {_scope(found)}"
    )


def _numbers(found: Comparison, digits: int) -> str:
    values = f"{found.a} {found.value_a:.{digits}f}, {found.b} {found.value_b:.{digits}f}"
    own = f"{values}, difference {found.difference.text(digits, signed=True)}"
    if found.pooled is None:
        return own
    limits = f"[{found.pooled.low:+.{digits}f}, {found.pooled.high:+.{digits}f}]"
    return f"{own} ({limits} with the trainings of all {found.arms} arms)"


def _better(found: Comparison) -> str:
    better, worse = (found.a, found.b) if found.difference.value > 0 else (found.b, found.a)
    if found.holds:
        return f"{better} is better than {worse} in {found.measure}"
    return f"Taken alone, {better} is better than {worse} in {found.measure}"


def _corrected(found: Comparison) -> str:
    """How the finding stands among the others."""
    if found.adjusted is None:
        return ""
    among = f"of the {found.family} comparisons" if found.family > 1 else "of this one comparison"
    ps = f"p {_p(found.p)}, after Holm's correction {_p(found.adjusted)}"
    return f" It {'holds' if found.holds else 'does not hold'} as one {among} ({ps})."


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.0005 else "under 0.0005"


def _missed(found: Comparison, digits: int) -> str:
    """Which differences are excluded and which would be found."""
    if not found.detectable:
        return "every episode gave the two arms equal scores"
    beyond = max(abs(found.widest.low), abs(found.widest.high))
    said = f"differences beyond ± {beyond:.{digits}f} are excluded" if beyond < 1 else "nothing is excluded"
    guess = f" ({found.detectable_range[0]:.{digits}f} to {found.detectable_range[1]:.{digits}f}, as far as {{}} tell)"
    few = found.training_seeds > 1 and found.detectable_range[1] > 1.2 * found.detectable
    known = guess.format(f"{found.training_seeds} trainings per arm") if few else ""
    return f"{said}; a true difference of {found.detectable:.{digits}f}{known} would be found four times in five"


def _scope(found: Comparison) -> str:
    """What was repeated, and so what the interval speaks of."""
    if found.training_seeds == 1:
        return "One training seed: this speaks of two trained agents, not yet of two trunks."
    return (
        f"Repeated were the training ({found.training_seeds} seeds per arm) and the episode "
        f"({found.episodes} seeds, the same for all): the interval allows for both."
    )
