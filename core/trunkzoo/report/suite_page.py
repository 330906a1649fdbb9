"""The report of a suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trunkzoo.evaluation.scores import scores, summary_of
from trunkzoo.report.charts import (
    FLOOR_STYLE,
    Bar,
    Curve,
    Point,
    interval_chart,
    line_chart,
    paired,
    scatter,
    style,
)
from trunkzoo.report.look import load_look
from trunkzoo.report.page import Figure, Row, Section, Table, film_uri, write_page
from trunkzoo.report.pictures import figures_of
from trunkzoo.suites.cells import RUN
from trunkzoo.suites.planning import ArmPlan, SuitePlan
from trunkzoo.suites.results import ArmResult, TaskResult
from trunkzoo.suites.table import COLUMNS, FLOOR_NAMES, NOTHING, notes, table

METRICS = {"loss": "training loss", "depth_entropy": "entropy of depth attention / log N"}


def write_suite_page(plan: SuitePlan, results: Sequence[TaskResult], path: Path) -> None:
    """Write the report of a finished suite."""
    sections = [section for result in results for section in _sections(result)]
    write_page(path, plan.name, plan.config.summary, sections)


def _sections(result: TaskResult) -> Iterator[Section]:
    styles = {arm.plan.label: style(index) for index, arm in enumerate(result.arms)}
    *verdicts, bias = notes(result)
    rows = [Row(cells, floor=cells[1] == NOTHING) for cells in table(result)]
    yield Section(result.plan.name, verdicts=verdicts, texts=[bias], table=Table(COLUMNS, rows))
    yield Section("Scores on fresh seeds", figures=_score_figures(result, styles))
    yield Section("Over training", legend=list(styles.items()), figures=_training_figures(result, styles))
    yield Section("Cost and pairs", legend=list(styles.items()), figures=_cost_figures(result, styles))
    for arm in result.arms:
        yield Section(arm.plan.label, texts=[_parts(arm)], figures=list(_arm_figures(arm.plan)))
    yield _method(result)


def _score_figures(result: TaskResult, styles: dict[str, str]) -> list[Figure]:
    summaries = [(arm.plan.label, arm.summary, styles[arm.plan.label]) for arm in result.arms]
    summaries += [
        (f"{arm.plan.label}, blanked", summary_of(*arm.blind), FLOOR_STYLE) for arm in result.arms if arm.blind
    ]
    summaries += [(FLOOR_NAMES[name], summary_of(rows), FLOOR_STYLE) for name, rows in result.floors.items()]
    success = [Bar(label, summary.success, mark) for label, summary, mark in summaries]
    reward = [Bar(label, summary.reward_mean, mark) for label, summary, mark in summaries]
    return [
        Figure("Success, 95 % Wilson interval", interval_chart(success, "success", "Success of each arm")),
        Figure("Average reward, 95 % bootstrap", interval_chart(reward, "average reward", "Reward of each arm")),
    ]


def _training_figures(result: TaskResult, styles: dict[str, str]) -> list[Figure]:
    selection = [_band(arm.plan.label, list(arm.curves), styles[arm.plan.label]) for arm in result.arms]
    chart = line_chart(selection, "average reward", "Average reward of the checkpoints")
    figures = [Figure("Average reward of every checkpoint on the selection seeds", chart)]
    for name, words in METRICS.items():
        curves = [
            _band(arm.plan.label, found, styles[arm.plan.label])
            for arm in result.arms
            if all(found := [_metric(cell.directory / RUN / "metrics.jsonl", name) for cell in arm.plan.trains])
        ]
        if curves:
            figures.append(Figure(words, line_chart(curves, words, words)))
    return figures


def _metric(path: Path, name: str) -> dict[int, float]:
    """One number over training, by step."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return {int(row["step"]): float(row[name]) for row in rows if row.get(name) is not None}


def _band(label: str, runs: Sequence[dict[int, float]], mark: str) -> Curve:
    """Mean over training seeds, with the range from the lowest to the highest seed."""
    steps = sorted(set.intersection(*(set(run) for run in runs)))
    values = np.array([[run[step] for step in steps] for run in runs])
    if len(runs) == 1:
        return Curve(label, steps, values[0].tolist(), mark)
    mean, low, high = values.mean(0), values.min(0), values.max(0)
    return Curve(label, steps, mean.tolist(), mark, low.tolist(), high.tolist())


def _cost_figures(result: TaskResult, styles: dict[str, str]) -> list[Figure]:
    def points(costs: Sequence[float]) -> list[Point]:
        pairs = zip(result.arms, costs, strict=True)
        return [Point(arm.plan.label, x, arm.summary.reward_mean, styles[arm.plan.label]) for arm, x in pairs]

    latency = points([arm.latency_ms for arm in result.arms])
    work = points([arm.sizes["multiply_adds"] / 1e6 for arm in result.arms])
    reward = "average reward"
    figures = [
        Figure("Milliseconds per chunk", scatter(latency, "latency per chunk, ms", reward, "Latency and reward")),
        Figure("Work of the trunks", scatter(work, "million multiply-adds per image", reward, "Work and reward")),
    ]
    arms = [arm for arm in result.arms if not arm.plan.baseline]
    for other in arms[1:]:
        a, b = (scores(arm.rows, "average_reward").mean(0).tolist() for arm in (arms[0], other))
        title = f"{other.plan.label} against {arms[0].plan.label}"
        chart = paired(a, b, arms[0].plan.label, other.plan.label, title)
        figures.append(
            Figure("Average reward, one dot per episode seed; above the line the second arm is better", chart)
        )
    return figures


def _arm_figures(plan: ArmPlan) -> Iterator[Figure]:
    """Films and looks of the first training seed."""
    directory = plan.evaluations[0].directory
    for film in sorted((directory / "films").glob("*.mp4")):
        kind, _, seed = film.stem.partition("-")
        yield Figure(f"A {kind}: episode seed {seed}. Reward below, green after success", video=film_uri(film))
    if (directory / "look.npz").is_file():
        yield from figures_of(load_look(directory / "look.npz"))


def _parts(arm: ArmResult) -> str:
    sizes, recipe = arm.sizes, arm.plan.recipe
    channels, height, width = sizes["feature_map"]
    return (
        f"Trunk {recipe.trunk.name}, feature map {channels} × {height} × {width}; head {recipe.head.name}; "
        f"{recipe.contract.sum_line()}; {recipe.contract.pred_horizon} actions predicted, "
        f"{recipe.contract.num_action_steps} executed."
    )


def _method(result: TaskResult) -> Section:
    row = result.arms[0].rows[0][0]
    seeds = [int(r["seed"]) for r in result.arms[0].rows[0]]
    versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
    rule = f"Success: {row.get('success_rule', 'the rule of the task')}. Every episode has {row.get('steps')} steps."
    origin = (
        f"Report seeds {min(seeds)} to {max(seeds)}, the same for every arm; checkpoints were chosen on other seeds, and "
        "demonstrations come from a third range. All arms had the same demonstrations, steps, batch size, number of "
        "checkpoints and episodes."
    )
    return Section("How it was measured", texts=[rule, origin, f"Versions: {versions}."])
