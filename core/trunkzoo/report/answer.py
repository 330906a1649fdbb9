"""The conclusions on top of a suite's report: which arm is better, how sure that is, and what cannot be concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trunkzoo.report.charts import IntervalBar, interval_chart
from trunkzoo.report.page import Figure
from trunkzoo.statistics import Comparison
from trunkzoo.statistics.intervals import FEWEST_EPISODES
from trunkzoo.suites.results import MEASURES, TaskResult


def answer_of(result: TaskResult) -> str:
    """Which arms are better or worse than the first and which are not decided, or that no difference shows."""
    comparisons = result.comparisons
    if not comparisons:
        arm = result.arms[0]
        return f"{arm.plan.label} succeeds in {arm.summary.success.text()} of the episodes; nothing to compare it with."
    first = comparisons[0]
    if first.episodes < FEWEST_EPISODES:
        return f"{first.episodes} episodes show nothing about which arm is better."
    if not any(comparison.decided for comparison in comparisons):
        arms = list(dict.fromkeys(comparison.a for comparison in comparisons))
        who = f"between {arms[0]} and {first.b}" if len(arms) == 1 else f"from {first.b} in any of {len(arms)} arms"
        return f"No difference {who} that {first.episodes} episodes could show, in success or in average reward."
    parts = _by_outcome(comparisons).items()
    return " ".join(f"{outcome} in {' and '.join(measures)}: {', '.join(arms)}." for (outcome, measures), arms in parts)


def _by_outcome(comparisons: Sequence[Comparison]) -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """(outcome, measures) → arms: those that are better in both measures, in one, …"""
    measures: dict[tuple[int, str], list[str]] = {}
    for c in comparisons:
        outcome = 2 if not c.decided else int(c.difference.value < 0)
        measures.setdefault((outcome, c.a), []).append(c.measure)
    words = (f"Better than {comparisons[0].b}", f"Worse than {comparisons[0].b}", "Not decided")
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for outcome, arm in sorted(measures, key=lambda key: key[0]):
        found.setdefault((words[outcome], tuple(measures[outcome, arm])), []).append(arm)
    return found


def caveats(comparisons: Sequence[Comparison]) -> list[str]:
    """What cannot be concluded: differences too small for these episodes, one training seed, many comparisons."""
    if not comparisons or comparisons[0].episodes < FEWEST_EPISODES:
        return []
    missed = {measure: max(c.detectable for c in comparisons if c.measure == measure) for measure, _ in MEASURES}
    sizes = " or ".join(f"under {size:.2g} in {measure}" for measure, size in missed.items() if size > 0)
    said = [f"Cannot be concluded: a true difference {sizes} would probably be missed."] if sizes else []
    seeds = comparisons[0].training_seeds
    if seeds == 1:
        said.append("One training seed per arm: this speaks of trained agents, not yet of trunks.")
    else:
        said.append(f"{seeds} training seeds per arm, and the intervals allow for them.")
    if len(comparisons) > len(MEASURES):
        said.append(f"{len(comparisons)} comparisons at 95 % each: one may leave zero out by chance alone.")
    return [" ".join(said)]


def answer_figures(comparisons: Sequence[Comparison], styles: Mapping[str, str]) -> list[Figure]:
    """Difference of every arm from the first, in success and in reward, paired by episode seed."""
    figures = []
    for measure, _ in MEASURES:
        found = [comparison for comparison in comparisons if comparison.measure == measure]
        if found:
            bars = [IntervalBar(c.a, c.difference, styles[c.a]) for c in found]
            label = f"difference in {measure} from {found[0].b}"
            caption = "Paired by episode seed, 95 %. An interval across the dashed zero decides nothing."
            figures.append(Figure(caption, interval_chart(bars, label, label.capitalize(), difference=True)))
    return figures
