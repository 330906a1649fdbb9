"""The report of a suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trunkzoo.report.answer import answer_figures, answer_of, caveats
from trunkzoo.report.charts import FLOOR_STYLE, IntervalBar, interval_chart, style
from trunkzoo.report.films import film_figures
from trunkzoo.report.page import Figure, Section, Table, TableRow, write_page
from trunkzoo.report.pictures import figures_of
from trunkzoo.report.suite_figures import REWARD, Styles, cost_figures, pair_figures, training_figures
from trunkzoo.rollouts.gaze import load_gaze
from trunkzoo.rollouts.rows import Row
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Summary
from trunkzoo.suites.held_out import error_differences
from trunkzoo.suites.layout import GAZE, films_of
from trunkzoo.suites.outcomes import outcome_table
from trunkzoo.suites.paired_outcomes import paired_table
from trunkzoo.suites.plan import ArmPlan, SuitePlan
from trunkzoo.suites.results import ArmResult, TaskResult
from trunkzoo.suites.stopping import Stop
from trunkzoo.suites.table import COLUMNS, FLOOR_NAMES, selection_bias, table

_WAY = (
    "Share of the report episodes that reach a stage of the task in some step; median step of the first success where there is "
    "one; mean error of sampled actions on demonstrations that were kept from training, in half ranges of an action; where it was "
    "measured, how far off a linear map from the condition puts the task's objects, of how far off a guess is."
)
_FINER = (
    "Paired differences, each for itself at 95 %: shares of episodes that reach a stage, the best reward of an episode, and the "
    "steps to success in scenes that both agents of a training seed solve."
)
FIRST_COLUMNS = ("arm", "success (95 %)", "average reward (95 %)", "max avg_reward", "latency")  # a phone shows no more


def write_suite_page(plan: SuitePlan, results: Sequence[TaskResult], path: Path, stop: Stop | None = None) -> None:
    """Write the report of a finished suite: the answer on every task, then what it rests on.

    A suite that ended early answers with the intervals of its looks.
    """
    styles = {arm.plan.label: style(index) for result in results for index, arm in enumerate(result.arms)}
    answers = [_answer(result, styles, stop) for result in results]
    parts = [section for result in results for section in _parts(plan, result, styles)]
    write_page(path, plan.name, plan.config.summary, [*answers, *parts])


def _answer(result: TaskResult, styles: Styles, stop: Stop | None) -> Section:
    return Section(
        result.plan.name,
        answer=answer_of(result) if stop is None else stop.sentence(result.plan.name),
        texts=caveats(result),
        figures=answer_figures(result.comparisons, styles),
        table=_table(result),
        note=selection_bias(result),
        words=[comparison.sentence() for comparison in result.comparisons],
    )


def _table(result: TaskResult) -> Table:
    """The suite's table with the scores first."""
    order = sorted(range(len(COLUMNS)), key=lambda i: (*FIRST_COLUMNS, *COLUMNS).index(COLUMNS[i]))
    arms = len(result.arms) + len(result.foreign)  # their lines come first, then those of the floors
    rows = [TableRow([cells[i] for i in order], floor=line >= arms) for line, cells in enumerate(table(result))]
    return Table([COLUMNS[i] for i in order], rows)


def _parts(plan: SuitePlan, result: TaskResult, styles: Styles) -> Iterator[Section]:
    legend = [(arm.plan.label, styles[arm.plan.label]) for arm in result.arms]
    yield Section(f"How it was measured: {result.plan.name}", texts=_method(plan, result))
    yield Section("Scores on fresh seeds", 3, figures=_score_figures(result, styles))
    columns, rows = outcome_table(result)
    errors = [found.sentence() for found in error_differences(result)]
    way = Table(columns, [TableRow(cells) for cells in rows])
    yield Section("On the way to success", 3, texts=[_WAY], table=way, words=errors)
    if result.comparisons:
        columns, rows = paired_table(result)
        finer = Table(columns, [TableRow(cells) for cells in rows])
        yield Section("Finer than success, scene by scene", 3, texts=[_FINER], table=finer)
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
        success.append(IntervalBar(label, summary.success, mark, _means(seeds, "success")))
        reward.append(IntervalBar(label, summary.reward_mean, mark, _means(seeds, "average_reward")))
    several = "training seeds and episodes; rings are the single training seeds"
    caption = f"95 % intervals over {several if len(result.arms[0].rows) > 1 else 'the episodes of one agent'}."
    return [
        Figure(caption, interval_chart(success, "success", "Success of each arm")),
        Figure(caption, interval_chart(reward, REWARD, "Reward of each arm")),
    ]


def _means(runs: Sequence[Sequence[Row]], field: str) -> list[float]:
    """One number for each training seed."""
    return [float(scores([run], field).mean()) for run in runs]


def _lines(result: TaskResult, styles: Styles) -> Iterator[tuple[str, Summary, str, Sequence[Sequence[Row]]]]:
    """Name, scores, style and rows of each line: every arm, below it the same arm on blanked images, then the floors."""
    for arm in result.arms:
        yield arm.plan.label, arm.summary, styles[arm.plan.label], arm.rows
        if arm.blind_summary:
            yield "↳ images blanked", arm.blind_summary, FLOOR_STYLE, arm.blind
    for it in result.foreign:
        yield it.plan.label, it.summary, FLOOR_STYLE, it.rows
    for name, rows in result.floors.items():
        yield FLOOR_NAMES[name], result.floor_summaries[name], FLOOR_STYLE, [rows]


def _arm_figures(arm: ArmResult) -> Iterator[Figure]:
    """Films and looks of the first training seed."""
    directory = arm.plan.evaluations[0].directory
    films = films_of(directory)
    yield from film_figures([(f"{outcome.capitalize()}, seed {seed}", film) for outcome, seed, film in films])
    if (directory / GAZE).is_file():
        yield from figures_of(load_gaze(directory / GAZE))


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
    if not (directory / GAZE).is_file():
        return ""
    return "Pictures are of the first training seed; keypoints and depth attention of the first report episode."


def _checkpoints(plan: SuitePlan) -> str:
    return "were chosen" if plan.config.report_checkpoint == "chosen" else "are scored too, the last one reported,"


def _sets(plan: SuitePlan) -> str:
    several = plan.config.demonstrations_per_seed and len(plan.config.training_seeds) > 1
    return ", another set for every training seed" if several else ""


def _method(plan: SuitePlan, result: TaskResult) -> list[str]:
    row = result.arms[0].rows[0][0]
    seeds = [int(r["seed"]) for r in result.arms[0].rows[0]]
    versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
    rule = f"Success: {row.get('success_rule', 'the rule of the task')}. Every episode has {row.get('steps')} steps."
    origin = (
        f"Report seeds {min(seeds)} to {max(seeds)}, the same for every arm; checkpoints {_checkpoints(plan)} on other "
        f"seeds, and demonstrations come from a third range{_sets(plan)}. All arms had the same demonstrations, steps, "
        "batch size, number of checkpoints and episodes."
    )
    return [rule, origin, f"Versions: {versions}."]
