"""Variance of scores by what was repeated: the training, the scene, and the rest; pooled over arms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Array = NDArray[np.float64]
CONFIDENCE = 0.95


class Parts(NamedTuple):
    """Standard error of a mean by what was repeated, each part with its own degrees of freedom; numbers or arrays."""

    training: Any
    df: int
    scene: Any
    df_scene: int

    @property
    def error(self) -> Any:
        """The whole standard error."""
        return np.hypot(self.training, self.scene)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of :attr:`error` (Satterthwaite 1946)."""
        if not self.error:
            return float(self.df)
        return float(self.error**4 / (self.training**4 / self.df + self.scene**4 / self.df_scene))

    def half(self, confidence: float = CONFIDENCE) -> Any:
        """Half the width of an interval: Student's t for each part, added as squares (Zou and Donner's MOVER, 2008).

        One t for the whole would take the scenes' many degrees of freedom for the trainings' few.
        """
        training, scene = (special.stdtrit(df, 0.5 + confidence / 2) for df in (self.df, self.df_scene))
        return np.hypot(training * self.training, scene * self.scene)

    def p(self, difference: float) -> float:
        """Two-sided p of a difference: that of the widest interval that leaves zero out."""
        if difference == 0 or not self.error:
            return 1.0 if difference == 0 else 0.0
        tiny = 1e-12
        if self.half(1 - tiny) <= abs(difference):
            return tiny

        def beyond(p: float) -> float:
            return float(self.half(1 - p)) - abs(difference)

        return float(optimize.brentq(beyond, tiny, 1.0, xtol=1e-12))

    def at_least(self, error: float) -> Parts:
        """The same with a larger scene part, where the whole would be under ``error``."""
        return self if self.error >= error else self._replace(scene=math.sqrt(error**2 - self.training**2))


class MeanSquares(NamedTuple):
    """Mean squares of scores (arms, trainings, scenes), two-way random effects within arms.

    With ``centre`` the mean over arms is taken away first: what is left is what moves a DIFFERENCE of arms.
    """

    training: Any
    scene: Any
    rest: Any
    df: int
    """Of ``training``."""
    df_scene: int
    trainings: int
    scenes: int

    @property
    def parts(self) -> Parts:
        """Standard error of one arm's mean over trainings and scenes, both taken as random; half the variance of a difference.

        The scenes' own part counts where it shows; where it is negative it is taken as none. One training has none to tell
        from the scenes.
        """
        count = self.trainings * self.scenes
        if self.trainings == 1:
            return Parts(0 * self.scene, 1, np.sqrt(self.scene / count), self.df_scene)
        scene = np.maximum(self.scene - self.rest, 0)
        return Parts(np.sqrt(self.training / count), self.df, np.sqrt(scene / count), self.df_scene)


def mean_squares(scores: Array, centre: bool = True) -> MeanSquares:
    """Mean squares of ``scores`` (…, arms, trainings, scenes); leading axes are separate experiments.

    Raises:
        ValueError: one arm alone has no differences, or there are fewer than two scenes.
    """
    *_, arms, trainings, scenes = scores.shape
    groups = arms - 1 if centre else arms
    if groups < 1 or scenes < 2:
        raise ValueError(f"scores {scores.shape}: need two arms for a difference, and two scenes")
    within = scores - scores.mean(-3, keepdims=True) if centre else scores
    of_training, of_scene = within.mean(-1), within.mean(-2)
    of_arm = within.mean((-2, -1))[..., None]
    a, b = of_training - of_arm, of_scene - of_arm
    rest = within - a[..., None] - b[..., None, :] - of_arm[..., None]
    df = trainings - 1, scenes - 1
    return MeanSquares(
        training=scenes * np.square(a).sum((-2, -1)) / max(groups * df[0], 1),
        scene=trainings * np.square(b).sum((-2, -1)) / (groups * df[1]),
        rest=np.square(rest).sum((-3, -2, -1)) / max(groups * df[0] * df[1], 1),
        df=groups * df[0],
        df_scene=groups * df[1],
        trainings=trainings,
        scenes=scenes,
    )


def pair_variance(a: Array, b: Array) -> Any:
    """Variance of a mean difference of successes over independent pairs (…, trainings, scenes), one more each way."""
    count = a.shape[-1] * a.shape[-2]
    differences = a - b
    unequal, total = np.square(differences).sum((-2, -1)) + 2, differences.sum((-2, -1))
    return (unequal - np.square(total) / (count + 2)) / (count + 1) / count


class Components(NamedTuple):
    """Standard deviations by source: what moves one score, or with ``difference`` one difference of two arms."""

    training: float
    low: float
    """Limits of ``training`` at 95 %."""
    high: float
    scene: float
    rest: float
    df: float
    """Degrees of freedom behind the limits."""

    def text(self, digits: int = 2) -> str:
        """``training 0.08 [0.05, 0.15], scene 0.34, rest 0.36``."""
        training, low, high, scene, rest = (f"{value:.{digits}f}" for value in self[:5])
        return f"training {training} [{low}, {high}], scene {scene}, rest {rest}"

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return self._asdict()


def components(arms: Sequence[Array], difference: bool = False) -> Components | None:
    """Variance components of score matrices (trainings, scenes), two-way random effects, pooled over ``arms``.

    With ``difference`` those of the difference of two arms, from the arm × training and arm × scene parts. None where
    there are not two trainings and two scenes (and, for differences, two arms).
    """
    if not arms:
        return None
    scores = np.stack(arms)
    if min(scores.shape[1:]) < 2 or (difference and len(scores) < 2):
        return None
    found, factor = mean_squares(scores, centre=difference), 2.0 if difference else 1.0
    df = _freedom(scores, found, centre=difference)
    low, high = (found.training * df / stats.chi2.ppf(q, df) for q in (0.975, 0.025))

    def part(mean_square: float, rest: float, repeats: int) -> float:
        return math.sqrt(max(0.0, factor * (mean_square - rest) / repeats))

    rest = float(found.rest)
    return Components(
        training=part(float(found.training), rest, found.scenes),
        low=part(float(low), rest, found.scenes),
        high=part(float(high), rest, found.scenes),
        scene=part(float(found.scene), rest, found.trainings),
        rest=math.sqrt(factor * rest),
        df=df,
    )


def _freedom(scores: Array, found: MeanSquares, centre: bool) -> float:
    """Degrees of freedom of the trainings' mean square, of which the scenes that were drawn take some.

    Scenes that are hard for all make a rate near 0 or 1 scatter less, trainings and rest alike. So to its relative variance 2/df
    comes what a jackknife over scenes (Efron and Stein 1981) finds beyond the part of it that normal numbers have.
    """
    if not found.training:
        return float(found.df)
    n, whole, rest = found.scenes, float(found.training), float(found.rest)
    within = scores - scores.mean(0) if centre else scores
    without = (n * within.mean(-1, keepdims=True) - within) / (n - 1)  # (arms, trainings, the scene left out)
    of_training = without - without.mean(1, keepdims=True)
    squares = (n - 1) * np.square(of_training).sum((0, 1)) / found.df  # (scenes,)
    by_scene = (n - 1) / n * float(np.square(squares - squares.mean()).sum())
    normal = (4 * max(whole - rest, 0) * rest + 2 * rest**2) / found.df
    return 2 / (2 / found.df + max(0.0, by_scene - normal) / whole**2)


class Pooled(NamedTuple):
    """What every difference of two arms of one suite shares: its standard error, and how well that is known."""

    means: Mapping[str, float]
    parts: Parts

    @property
    def df(self) -> int:
        """The fewest degrees of freedom of a part that there is."""
        return self.parts.df if self.parts.training else self.parts.df_scene

    def best(self) -> tuple[str, ...]:
        """Arms of which none is shown to be worse than the best: the truly best is among them at 95 %.

        Hsu's comparison with the best (1984): an arm leaves the set if the leader beats it by more than the one-sided
        critical value of Dunnett times the standard error.
        """
        if len(self.means) < 2:
            return tuple(self.means)
        reach = dunnett(len(self.means) - 1, self.df, sides=1) * self.parts.error
        top = max(self.means.values())
        return tuple(name for name, mean in self.means.items() if mean >= top - reach)


def pool(arms: Mapping[str, Array]) -> Pooled:
    """Pool the training variance of all arms (trainings, scenes): two-way residual, (A−1)(S−1) degrees of freedom."""
    parts = mean_squares(np.stack(list(arms.values()))).parts
    both = parts._replace(training=math.sqrt(2) * float(parts.training), scene=math.sqrt(2) * float(parts.scene))
    return Pooled({name: float(scores.mean()) for name, scores in arms.items()}, both)


@cache
def dunnett(comparisons: int, freedom: float, sides: int = 2, confidence: float = CONFIDENCE) -> float:
    """Critical value for ``comparisons`` arms against one control, all at once (Dunnett 1955; equal group sizes).

    Given the control's mean and the common deviation the arms are independent, which leaves a double integral.
    """
    z, of_z = special.roots_hermitenorm(64)  # of the control's mean
    u, of_u = special.roots_legendre(512)  # of the probability of the deviation, whose ends are steep
    deviation = np.sqrt(stats.chi2.ppf((1 + u) / 2, freedom) / freedom)[:, None]
    weights = np.outer(of_u / 2, of_z / of_z.sum())

    def shortfall(value: float) -> float:
        reach = math.sqrt(2) * value * deviation
        below = special.ndtr(z - reach) if sides == 2 else 0.0
        return float((weights * (special.ndtr(z + reach) - below) ** comparisons).sum()) - confidence

    top = float(stats.t.ppf(1 - (1 - confidence) / (2 * comparisons), freedom)) + 0.1  # Bonferroni's, the widest
    return float(optimize.brentq(shortfall, 0.0, top, xtol=1e-6))


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values of Holm (1979): reject those under 0.05, and one wrong finding in all has at most 5 % chance."""
    adjusted, highest = [1.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = highest
    return tuple(adjusted)
