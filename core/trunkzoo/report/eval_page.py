"""The report of one evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.export.record import is_export
from trunkzoo.report.charts import FLOOR_STYLE, Curve, IntervalBar, interval_chart, line_chart, strip, style
from trunkzoo.report.films import film_figures
from trunkzoo.report.page import Figure, Section, write_page
from trunkzoo.report.pictures import figures_of
from trunkzoo.rollouts import Evaluation
from trunkzoo.rollouts.record_gaze import gaze_of_job
from trunkzoo.rollouts.scores import summary_of
from trunkzoo.statistics import Summary, detectable_rate
from trunkzoo.training.directory import METRICS
from trunkzoo.training.metrics import read_metrics


def write_eval_page(evaluation: Evaluation, floors: Sequence[Evaluation], catalogue: Catalogue, path: Path) -> None:
    """Write the report of a finished evaluation; an agent plays its first episode once more, to be looked into."""
    job, facts = evaluation.plan.job, evaluation.plan.provenance
    summary = summary_of(evaluation.ordered)
    won = f"{summary.successes} of {summary.episodes} episodes succeed"
    answer = f"{won}, {summary.success.text()}; average reward {summary.reward_mean.text()}."
    sections = [Section("Scores", answer=answer, texts=[_limits(summary)], figures=_scores(evaluation, floors))]
    films = list(film_figures(list(_films(evaluation))))
    if films:
        sections.append(Section("Films", figures=films))
    if job.checkpoint is not None and not is_export(job.checkpoint):  # a graph shows no keypoints
        gaze = gaze_of_job(job, evaluation.seeds[0], catalogue)
        sections.append(Section(f"Where it looks, episode seed {evaluation.seeds[0]}", figures=list(figures_of(gaze))))
    if held := list(_held_out(job.checkpoint)):
        sections.append(Section("Over training", figures=held))
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    texts = [f"Success: {facts['success_rule']}.", f"Versions: {versions}."]
    seeds = f"{len(evaluation.ordered)} episodes, seeds {evaluation.seeds[0]} to {evaluation.seeds[-1]}"
    write_page(
        path,
        f"{facts['recipe'] or job.policy} on {job.task.name}",
        f"{evaluation.plan.label}, {seeds}, {job.max_steps} steps each",
        [*sections, Section("How it was measured", texts=texts)],
    )


def _held_out(checkpoint: Path | None) -> Iterator[Figure]:
    """The held-out error of every checkpoint of the run that the agent is from, where it has several."""
    run = checkpoint.resolve().parent.parent.parent if checkpoint else None  # RUN/checkpoints/step-…/model.safetensors
    rows = read_metrics(run) if run and (run / METRICS).is_file() else []
    held = {int(row["step"]): float(row["holdout_error"]) for row in rows if row.get("holdout_error") is not None}
    if len(held) > 1:
        curve = Curve("held-out episodes", list(held), list(held.values()), style(0))
        caption = "Error of predicted actions on demonstrations kept from training, at every checkpoint."
        yield Figure(caption, line_chart([curve], "action error", "Held-out action error", zero=False))


def _limits(summary: Summary) -> str:
    """What cannot be concluded."""
    missed = detectable_rate((summary.successes + 1) / (summary.episodes + 2), summary.episodes)  # a rate off 0 and 1
    return (
        f"Against another agent on as many other episodes, a true difference in success of {min(missed, 1.0):.2f} would "
        "be found four times in five; `zoo suite` compares on the same ones."
    )


def _scores(evaluation: Evaluation, floors: Sequence[Evaluation]) -> list[Figure]:
    rows = evaluation.ordered
    summary, beside = summary_of(rows), [(floor.plan.job.policy, summary_of(floor.ordered)) for floor in floors]
    episodes = max((found.episodes for _, found in beside), default=0)
    around = f" Grey: floors and the expert, {episodes} episodes each." if beside else ""
    success = [
        IntervalBar("success", summary.success, style(0)),
        *(IntervalBar(name, found.success, FLOOR_STYLE) for name, found in beside),
    ]
    reward = [
        IntervalBar("mean", summary.reward_mean, style(1)),
        IntervalBar("median", summary.reward_median, style(1)),
        IntervalBar("interquartile mean", summary.reward_iqm, style(1)),
        *(IntervalBar(name, found.reward_mean, FLOOR_STYLE) for name, found in beside),
    ]
    rewards = [float(row["average_reward"]) for row in rows]
    won = [bool(row["success"]) for row in rows]
    return [
        Figure(f"95 % Wilson intervals.{around}", interval_chart(success, "success", "Success")),
        Figure(
            f"95 % bootstrap intervals.{around}", interval_chart(reward, "average reward per step", "Average reward")
        ),
        Figure("Every episode: filled dots succeed, rings fail.", strip(rewards, won)),
    ]


def _films(evaluation: Evaluation) -> Iterator[tuple[str, Path]]:
    for seed in evaluation.seeds[: evaluation.filmed]:
        film = evaluation.films / f"seed-{seed}.mp4" if evaluation.films else None
        if film and film.is_file():
            yield f"{'Success' if evaluation.rows[seed]['success'] else 'Failure'}, seed {seed}", film
