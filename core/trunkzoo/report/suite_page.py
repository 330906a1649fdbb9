"""The report of a suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trunkzoo.report.answer import answer_figures, answer_of, caveats
from trunkzoo.report.charts import FLOOR_STYLE, Bar, interval_chart, style
from trunkzoo.report.films import film_figures
from trunkzoo.report.page import Figure, Row, Section, Table, write_page
from trunkzoo.report.pictures import figures_of
from trunkzoo.report.suite_figures import REWARD, Styles, cost_figures, pair_figures, training_figures
from trunkzoo.rollouts.gaze import load_look
from trunkzoo.rollouts.rows import Row as Episode
from trunkzoo.rollouts.scores import scores, summary_of
from trunkzoo.statistics import Summary
from trunkzoo.suites.layout import LOOK, films_of
from trunkzoo.suites.planning import ArmPlan, SuitePlan
from trunkzoo.suites.results import ArmResult, TaskResult
from trunkzoo.suites.table import COLUMNS, FLOOR_NAMES, NOTHING, notes, table

FIRST = ("arm", "success (95 %)", "average reward (95 %)", "max avg_reward", "latency")  # a phone shows no more


def write_suite_page(plan: SuitePlan, results: Sequence[TaskResult], path: Path) -> None:
    """Write the report of a finished suite: the answer on every task, then what it rests on."""
    styles = {arm.plan.label: style(index) for result in results for index, arm in enumerate(result.arms)}
    answers = [_answer(result, styles) for result in results]
    parts = [section for result in results for section in _parts(result, styles)]
    write_page(path, plan.name, plan.config.summary, [*answers, *parts])


def _answer(result: TaskResult, styles: Styles) -> Section:
    *sentences, bias = notes(result)
    return Section(
        result.plan.name,
        answer=answer_of(result),
        texts=caveats(result.comparisons),
        figures=answer_figures(result.comparisons, styles),
        table=_table(result),
        note=bias,
        words=sentences,
    )


def _table(result: TaskResult) -> Table:
    """The suite's table with the scores first."""
    order = sorted(range(len(COLUMNS)), key=lambda i: (*FIRST, *COLUMNS).index(COLUMNS[i]))
    rows = [Row([cells[i] for i in order], floor=cells[1] == NOTHING) for cells in table(result)]
    return Table([COLUMNS[i] for i in order], rows)


def _parts(result: TaskResult, styles: Styles) -> Iterator[Section]:
    legend = [(arm.plan.label, styles[arm.plan.label]) for arm in result.arms]
    yield Section(f"How it was measured: {result.plan.name}", texts=_method(result))
    yield Section("Scores on fresh seeds", 3, figures=_score_figures(result, styles))
    yield Section("Over training", 3, legend=legend, figures=training_figures(result, styles))
    yield Section("Cost", 3, legend=legend, figures=cost_figures(result, styles))
    if len(result.comparisons):
        yield Section("Episode by episode", 3, figures=pair_figures(result, styles))
    for arm in result.arms:
        yield Section(arm.plan.label, 3, texts=[_parts_of(arm)], figures=list(_arm_figures(arm)))


def _score_figures(result: TaskResult, styles: Styles) -> list[Figure]:
    success, reward = [], []
    for label, summary, mark, runs in _lines(result, styles):
        seeds = runs if len(runs) > 1 else ()
        success.append(Bar(label, summary.success, mark, _means(seeds, "success")))
        reward.append(Bar(label, summary.reward_mean, mark, _means(seeds, "average_reward")))
    several = "training seeds and episodes; rings are the single training seeds"
    caption = f"95 % intervals over {several if len(result.arms[0].rows) > 1 else 'the episodes of one agent'}."
    return [
        Figure(caption, interval_chart(success, "success", "Success of each arm")),
        Figure(caption, interval_chart(reward, REWARD, "Reward of each arm")),
    ]


def _means(runs: Sequence[Sequence[Episode]], field: str) -> list[float]:
    """One number for each training seed."""
    return [float(scores([run], field).mean()) for run in runs]


def _lines(result: TaskResult, styles: Styles) -> Iterator[tuple[str, Summary, str, Sequence[Sequence[Episode]]]]:
    """Name, scores, style and rows of each line: every arm, below it the same arm on blanked images, then the floors."""
    for arm in result.arms:
        yield arm.plan.label, arm.summary, styles[arm.plan.label], arm.rows
        if arm.blind:
            yield "↳ images blanked", summary_of(*arm.blind), FLOOR_STYLE, arm.blind
    for name, rows in result.floors.items():
        yield FLOOR_NAMES[name], summary_of(rows), FLOOR_STYLE, [rows]


def _arm_figures(arm: ArmResult) -> Iterator[Figure]:
    """Films and looks of the first training seed."""
    directory = arm.plan.evaluations[0].directory
    films = films_of(directory)
    yield from film_figures([(f"{outcome.capitalize()}, seed {seed}", film) for outcome, seed, film in films])
    if (directory / LOOK).is_file():
        yield from figures_of(load_look(directory / LOOK))


def _parts_of(arm: ArmResult) -> str:
    sizes, recipe = arm.sizes, arm.plan.recipe
    channels, height, width = sizes["feature_map"]
    return (
        f"Trunk {recipe.trunk.name}, feature map {channels} × {height} × {width}; head {recipe.head.name}; "
        f"{recipe.contract.sum_line()}; {recipe.contract.pred_horizon} actions predicted, "
        f"{recipe.contract.num_action_steps} executed. {_shown(arm.plan)}"
    )


def _shown(plan: ArmPlan) -> str:
    directory = plan.evaluations[0].directory
    if not (directory / LOOK).is_file():
        return ""
    return "Pictures are of the first training seed; keypoints and depth attention of the first report episode."


def _method(result: TaskResult) -> list[str]:
    row = result.arms[0].rows[0][0]
    seeds = [int(r["seed"]) for r in result.arms[0].rows[0]]
    versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
    rule = f"Success: {row.get('success_rule', 'the rule of the task')}. Every episode has {row.get('steps')} steps."
    origin = (
        f"Report seeds {min(seeds)} to {max(seeds)}, the same for every arm; checkpoints were chosen on other seeds, and "
        "demonstrations come from a third range. All arms had the same demonstrations, steps, batch size, number of "
        "checkpoints and episodes."
    )
    return [rule, origin, f"Versions: {versions}."]
