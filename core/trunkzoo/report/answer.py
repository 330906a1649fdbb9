"""The conclusions on top of a suite's report: which arm is better, how sure that is, and what cannot be concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trunkzoo.report.charts import IntervalBar, interval_chart
from trunkzoo.report.page import Figure
from trunkzoo.statistics import Comparison
from trunkzoo.statistics.intervals import FEWEST_EPISODES
from trunkzoo.suites.comparing import MEASURES
from trunkzoo.suites.results import TaskResult
from trunkzoo.suites.table import over_all_arms


def answer_of(result: TaskResult) -> str:
    """Which arms are better or worse than their control or the first, or that no difference holds (Holm)."""
    comparisons = result.comparisons
    if not comparisons:
        arm = result.arms[0]
        return f"{arm.plan.label} succeeds in {arm.summary.success.text()} of the episodes; nothing to compare it with."
    if comparisons[0].episodes < FEWEST_EPISODES:
        return f"{comparisons[0].episodes} episodes show nothing about which arm is better."
    if any(comparison.holds for comparison in comparisons):
        parts = [text for group in _by_reference(comparisons).values() for text in _outcomes(group)]
    else:
        who = " and ".join(_between(group) for group in _by_reference(comparisons).values())
        parts = [f"No difference {who} {_that(comparisons)}, in success or in average reward."]
    return " ".join([*parts, *_taken_alone(comparisons)])


def _that(comparisons: Sequence[Comparison]) -> str:
    """What is denied: a difference that these episodes show, or one that holds though others were looked for."""
    if any(c.decided for c in comparisons):
        return f"holds over the {comparisons[0].family} comparisons"
    return f"that {comparisons[0].sample} could show"


def _by_reference(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Comparisons by the arm that they refer to, controls first."""
    found: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        found.setdefault(comparison.b, []).append(comparison)
    return found


def _between(comparisons: Sequence[Comparison]) -> str:
    arms, reference = list(dict.fromkeys(c.a for c in comparisons)), comparisons[0].b
    return f"between {arms[0]} and {reference}" if len(arms) == 1 else f"from {reference} in any of {len(arms)} arms"


def _outcomes(comparisons: Sequence[Comparison]) -> list[str]:
    """Sentences such as «Better than base in success: a, b.», for one arm of reference."""
    measures: dict[tuple[int, str], list[str]] = {}
    for c in comparisons:
        outcome = 2 if not c.holds else int(c.difference.value < 0)
        measures.setdefault((outcome, c.a), []).append(c.measure)
    reference = comparisons[0].b
    words = (f"Better than {reference}", f"Worse than {reference}", f"Not decided against {reference}")
    arms: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for outcome, arm in sorted(measures, key=lambda key: key[0]):
        arms.setdefault((words[outcome], tuple(measures[outcome, arm])), []).append(arm)
    return [
        f"{outcome} in {' and '.join(found_in)}: {', '.join(names)}." for (outcome, found_in), names in arms.items()
    ]


def _taken_alone(comparisons: Sequence[Comparison]) -> list[str]:
    """Intervals that leave zero out though the difference does not hold among the others."""
    found = [c for c in comparisons if c.decided and not c.holds]
    said = [f"{c.a} against {c.b} in {c.measure}, {c.difference.text(signed=True)}" for c in found]
    return [f"Taken alone, zero is left out by: {'; '.join(said)}."] if said else []


def caveats(result: TaskResult) -> list[str]:
    """What cannot be concluded: what would be found and what is excluded, one training seed, many comparisons."""
    comparisons = result.comparisons
    if not comparisons or comparisons[0].episodes < FEWEST_EPISODES:
        return []
    seeds = comparisons[0].training_seeds
    said = [text for measure, _ in MEASURES if (text := _resolution([c for c in comparisons if c.measure == measure]))]
    if seeds == 1:
        said.append("One training seed per arm: this speaks of trained agents, not yet of trunks.")
    else:
        said.append(f"{seeds} training seeds per arm, and the intervals allow for them.")
    if comparisons[0].family > 1:
        said.append(
            f"Holm's correction over {comparisons[0].family} comparisons keeps the chance of one wrong finding under 5 %; "
            "the intervals are each at 95 %."
        )
    return [" ".join(said), *over_all_arms(result)]


def _resolution(comparisons: Sequence[Comparison]) -> str:
    """The widest claim over all comparisons in one measure."""
    if not comparisons or not any(c.detectable for c in comparisons):
        return ""
    most = max(comparisons, key=lambda c: c.detectable)
    low, high = most.detectable_range
    guess = f" (a guess: {low:.2g} to {high:.2g})" if most.training_seeds > 1 and high > 1.2 * most.detectable else ""
    beyond = max(max(abs(c.widest.low), abs(c.widest.high)) for c in comparisons)
    return (
        f"In {most.measure} a true difference of {most.detectable:.2g}{guess} would be found four times in five, and "
        f"differences beyond ± {beyond:.2g} are excluded."
    )


def answer_figures(comparisons: Sequence[Comparison], styles: Mapping[str, str]) -> list[Figure]:
    """Differences of treatments from their controls and of all arms from the first, in success and in reward."""
    figures = []
    for reference, group in _by_reference(comparisons).items():
        for measure, _ in MEASURES:
            found = [comparison for comparison in group if comparison.measure == measure]
            label = f"difference in {measure} from {reference}"
            bars = [bar for c in found for bar in _bars(c, styles)]
            caption = "Paired by episode seed, 95 %. An interval across the dashed zero decides nothing."
            if any(c.pooled for c in found):
                caption += " Below each the interval with the training variance of all arms."
            if any(c.together for c in found):
                caption += " Last the one that holds for all arms against this one at once (Dunnett)."
            figures.append(Figure(caption, interval_chart(bars, label, label.capitalize(), difference=True)))
    return figures


def _bars(found: Comparison, styles: Mapping[str, str]) -> list[IntervalBar]:
    """The pair's own interval, and below it those that know the other arms."""
    named = {found.a: found.difference, "↳ trainings of all arms": found.pooled, "↳ all at once": found.together}
    return [IntervalBar(name, interval, styles[found.a]) for name, interval in named.items() if interval]
