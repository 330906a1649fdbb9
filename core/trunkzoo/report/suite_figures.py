"""The charts of a suite: scores over training, cost against reward, episode against episode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from trunkzoo.report.charts import Curve, Point, line_chart, paired, scatter
from trunkzoo.report.page import Figure
from trunkzoo.rollouts.rows import read_rows
from trunkzoo.rollouts.scores import scores, summary_of
from trunkzoo.statistics import Interval, Summary
from trunkzoo.suites.layout import RUN, selection_rows
from trunkzoo.suites.results import ArmResult, TaskResult
from trunkzoo.training.metrics import read_metrics

Styles = Mapping[str, str]
REWARD = "average reward per step"


def training_figures(result: TaskResult, styles: Styles) -> list[Figure]:
    """Success and reward of every checkpoint, error by head, entropy of depth attention."""
    found = {arm.plan.label: {step: _scored(arm, step) for step in sorted(arm.curves[0])} for arm in result.arms}

    def curves(score: Callable[[Summary], Interval]) -> list[Curve]:
        return [
            _scores_curve(name, {s: score(x) for s, x in summaries.items()}, styles[name])
            for name, summaries in found.items()
        ]

    over = "training seeds and selection episodes" if len(result.arms[0].rows) > 1 else "the selection episodes"
    where = f"of every checkpoint on the selection seeds; bands are 95 % intervals over {over}."
    return [
        Figure(f"Success {where}", line_chart(curves(lambda found: found.success), "success", "Success over training")),
        Figure(
            f"Average reward {where}",
            line_chart(curves(lambda found: found.reward_mean), REWARD, "Reward over training"),
        ),
        *_losses(result.arms, styles),
        *_held_out(result.arms, styles),
        *_entropy(result.arms, styles),
    ]


def _scored(arm: ArmResult, step: int) -> Summary:
    """A checkpoint on the selection seeds."""
    return summary_of(*(read_rows(selection_rows(cell.directory, step)) for cell in arm.plan.evaluations))


def _scores_curve(label: str, found: Mapping[int, Interval], mark: str) -> Curve:
    """A score by step, with a band if the episodes suffice for intervals."""
    values, low, high = zip(*found.values(), strict=True)
    curve = Curve(label, list(found), values, mark)
    return curve if any(map(math.isnan, low)) else curve._replace(low=low, high=high)


def _losses(arms: Sequence[ArmResult], styles: Styles) -> Iterator[Figure]:
    for head in dict.fromkeys(arm.plan.recipe.head.name for arm in arms):
        of_head = [arm for arm in arms if arm.plan.recipe.head.name == head]
        name = _error_of(of_head)
        curves = _metric(of_head, name, styles)
        if curves:
            what = "Training loss" if name == "loss" else f"Unweighted training error ({name})"
            caption = f"{what} of {head}{_bands(arms)}; those of different heads are not comparable."
            yield Figure(caption, line_chart(curves, name, f"{what} of {head}", zero=False))


def _held_out(arms: Sequence[ArmResult], styles: Styles) -> Iterator[Figure]:
    curves = _metric(arms, "holdout_error", styles)
    if curves:
        caption = f"Error of predicted actions on held-out demonstrations, at every checkpoint{_bands(arms)}."
        yield Figure(caption, line_chart(curves, "action error", "Held-out action error", zero=False))


def _error_of(arms: Sequence[ArmResult]) -> str:
    """The first unweighted error that a head logs as ``mse_…``, else its loss: a weighted loss may stay where it is."""
    logged = (row for arm in arms for cell in arm.plan.trains for row in read_metrics(cell.directory / RUN))
    return next((name for row in logged for name in row if name.startswith("mse_")), "loss")


def _entropy(arms: Sequence[ArmResult], styles: Styles) -> Iterator[Figure]:
    curves = _metric(arms, "depth_entropy", styles)
    if curves:
        caption = f"Entropy of depth attention over log N{_bands(arms)}; at the dashed 1 all N sources weigh the same."
        yield Figure(caption, line_chart(curves, "entropy / log N", "Entropy of depth attention", reference=1.0))


def _bands(arms: Sequence[ArmResult]) -> str:
    return ", mean and range of the training seeds" if len(arms[0].rows) > 1 else ""


def _metric(arms: Sequence[ArmResult], name: str, styles: Styles) -> list[Curve]:
    """A number of the training log, for the arms that have it."""
    found = ((arm.plan, [_logged(cell.directory / RUN, name) for cell in arm.plan.trains]) for arm in arms)
    return [_range(plan.label, runs, styles[plan.label]) for plan, runs in found if all(runs)]


def _logged(run: Path, name: str) -> dict[int, float]:
    """One number over training, by step."""
    return {int(row["step"]): float(row[name]) for row in read_metrics(run) if row.get(name) is not None}


def _range(label: str, runs: Sequence[dict[int, float]], mark: str) -> Curve:
    """Mean over training seeds, with the range from the lowest to the highest seed."""
    steps = sorted(set.intersection(*(set(run) for run in runs)))
    values = np.array([[run[step] for step in steps] for run in runs])
    middle, low, high = values.mean(0).tolist(), values.min(0).tolist(), values.max(0).tolist()
    return Curve(label, steps, middle, mark, low, high) if len(runs) > 1 else Curve(label, steps, middle, mark)


def cost_figures(result: TaskResult, styles: Styles) -> list[Figure]:
    """What an arm costs in time and in work, and what it earns."""

    rewards = [arm.summary.reward_mean for arm in result.arms]

    def points(costs: Sequence[float]) -> list[Point]:
        triples = zip(result.arms, costs, rewards, strict=True)
        return [Point(arm.plan.label, x, reward, styles[arm.plan.label]) for arm, x, reward in triples]

    device = result.arms[0].rows[0][0].get("device", "the device")
    latency = points([arm.latency_ms for arm in result.arms])
    work = points([arm.sizes["multiply_adds"] / 1e6 for arm in result.arms])
    side = "Arms of equal cost stand side by side."
    return [
        Figure(
            f"Time to predict one chunk, all arms in one process in turns, on {device}. {side}",
            scatter(latency, "latency per chunk, ms", REWARD, "Latency and reward"),
        ),
        Figure(
            f"Work of the trunk for one image. {side}",
            scatter(work, "million multiply-adds per image", REWARD, "Work and reward"),
        ),
    ]


def pair_figures(result: TaskResult, styles: Styles) -> list[Figure]:
    """Every later arm against the first, a dot per episode seed."""
    first, *others = [arm for arm in result.arms if not arm.plan.baseline]
    of_first = scores(first.rows, "average_reward").mean(0).tolist()
    figures = []
    for other in others:
        names = first.plan.label, other.plan.label
        colours = styles[names[0]], styles[names[1]]
        chart = paired(
            of_first,
            scores(other.rows, "average_reward").mean(0).tolist(),
            names,
            colours,
            f"{names[1]} and {names[0]}",
        )
        caption = f"A dot per episode seed; above the dashed line {names[1]} does better, below it {names[0]}."
        figures.append(Figure(caption, chart))
    return figures
