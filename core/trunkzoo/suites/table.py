"""The result table of a suite, as text: arms, floors and the expert with their scores."""

from __future__ import annotations

from collections.abc import Sequence

from trunkzoo.statistics import Summary
from trunkzoo.statistics.intervals import FEWEST_EPISODES
from trunkzoo.suites.foreign_results import ForeignResult
from trunkzoo.suites.results import ArmResult, TaskResult

COLUMNS = (
    "arm",
    "trunk",
    "parameters (trunk)",
    "cond_dim",
    "steps",
    "training",
    "CPU time",
    "success (95 %)",
    "average reward (95 %)",
    "max avg_reward",
    "latency",
)
NO_VALUE = "–"
FLOOR_NAMES = {"noop": "no-op", "random": "random", "expert": "expert (ceiling)"}


def table(result: TaskResult) -> list[tuple[str, ...]]:
    """Rows of the table: arms, baselines, what other packages trained, all on blanked images, floors, the ceiling."""
    arms = [arm for arm in result.arms if not arm.plan.baseline]
    baselines = [arm for arm in result.arms if arm.plan.baseline]
    played: list[ArmResult | ForeignResult] = [*arms, *result.foreign]
    return [
        *(_arm_row(arm) for arm in (*arms, *baselines)),
        *(_foreign_row(it) for it in result.foreign),
        *(_floor_row(f"{arm.plan.label}, images blanked", arm.blind_summary) for arm in played if arm.blind_summary),
        *(_floor_row(FLOOR_NAMES[name], summary) for name, summary in result.floor_summaries.items()),
    ]


def _arm_row(arm: ArmResult) -> tuple[str, ...]:
    sizes, recipe = arm.sizes, arm.plan.recipe
    return (
        arm.plan.label,
        recipe.trunk.name,
        f"{millions(sizes['parameters'])} ({millions(sizes['trunk_parameters'])})",
        str(sizes["cond_dim"]),
        str(recipe.train.steps),
        duration(arm.train_seconds),
        NO_VALUE if arm.train_cpu_seconds is None else duration(arm.train_cpu_seconds),
        *_scores(arm.summary),
        f"{arm.max_average_reward:.3f}" + ("" if _last(arm) else f" @ {', '.join(map(str, arm.chosen))}"),
        f"{arm.latency_ms:.1f} ms",
    )


def _foreign_row(it: ForeignResult) -> tuple[str, ...]:
    """Without a latency: its own was measured by another clock, beside other work, than that of the arms."""
    cost = (str(it.steps), duration(it.train_seconds), NO_VALUE)
    return (it.plan.label, it.plan.policy, *[NO_VALUE] * 2, *cost, *_scores(it.summary), *[NO_VALUE] * 2)


def _floor_row(name: str, summary: Summary) -> tuple[str, ...]:
    return (name, *[NO_VALUE] * 6, *_scores(summary), NO_VALUE, NO_VALUE)


def _scores(summary: Summary) -> tuple[str, str]:
    n = summary.training_seeds * summary.episodes
    return f"{summary.successes}/{n} = {summary.success.text()}", summary.reward_mean.text(3)


def notes(result: TaskResult) -> list[str]:
    """The sentences under the table: every comparison, what all arms say together, and what max avg_reward is worth."""
    return [
        *(comparison.sentence() for comparison in result.comparisons),
        *over_all_arms(result),
        selection_bias(result),
    ]


def over_all_arms(result: TaskResult) -> list[str]:
    """What moves a score, and among three arms or more the best ones; nothing below five episodes or for one arm."""
    if not result.comparisons or result.comparisons[0].episodes < FEWEST_EPISODES:
        return []
    return [*_spread(result), *_best(result)]


def _spread(result: TaskResult) -> list[str]:
    found = [f"{measure}: {components.text(3)}" for measure, components in result.components.items()]
    return [f"Standard deviation of one episode's score by source – {'; '.join(found)}."] if found else []


def _best(result: TaskResult) -> list[str]:
    everyone = sum(not arm.plan.baseline for arm in result.arms)
    found = [f"in {measure} {_among(arms, everyone)}" for measure, arms in result.best.items()]
    return [f"The best arm is at 95 % among: {'; '.join(found)}."] if found and everyone > 2 else []


def _among(arms: Sequence[str], everyone: int) -> str:
    return ", ".join(arms) if len(arms) < everyone else "all (no arm is excluded)"


def selection_bias(result: TaskResult) -> str:
    """Why max avg_reward is no score to compare by."""
    which = "the last checkpoint" if all(map(_last, result.arms)) else "that checkpoint"
    return (
        "max avg_reward is the best checkpoint's score on the seeds that found it best, so it is biased upward; "
        f"success and average reward are of {which} on fresh seeds."
    )


def _last(arm: ArmResult) -> bool:
    """Whether the last checkpoint of every training is reported."""
    return all(step == max(curve) for step, curve in zip(arm.chosen, arm.curves, strict=True))


def millions(count: int) -> str:
    """``11.18 M``."""
    return f"{count / 1e6:.2f} M"


def duration(seconds: float) -> str:
    """``5 min 12 s``, from an hour on ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
