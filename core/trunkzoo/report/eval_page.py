"""The report of one evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trunkzoo.catalogue import Catalogue
from trunkzoo.evaluation import Evaluation
from trunkzoo.evaluation.scores import summary_of
from trunkzoo.report.charts import Bar, interval_chart, strip, style
from trunkzoo.report.look import look_at_job
from trunkzoo.report.page import Figure, Section, film_uri, write_page
from trunkzoo.report.pictures import figures_of


def write_eval_page(evaluation: Evaluation, catalogue: Catalogue, path: Path) -> None:
    """Write the report of a finished evaluation; an agent plays its first episode once more, to be looked into."""
    job = evaluation.plan.job
    sections = [Section(figures=_scores(evaluation)), Section("Films", figures=list(_films(evaluation)))]
    if job.checkpoint is not None:
        look = look_at_job(job, evaluation.seeds[0], catalogue)
        sections.append(Section(f"Where it looks, episode seed {evaluation.seeds[0]}", figures=list(figures_of(look))))
    facts = evaluation.plan.provenance
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    sections.append(
        Section("How it was measured", texts=[f"Success: {facts['success_rule']}.", f"Versions: {versions}."])
    )
    seeds = f"{len(evaluation.ordered)} episodes, seeds {evaluation.seeds[0]} to {evaluation.seeds[-1]}"
    title = f"{facts['recipe'] or job.policy} on {job.task.name}"
    write_page(
        path, title, f"{job.policy}, {seeds}, {job.max_steps} steps each", [s for s in sections if s.figures or s.texts]
    )


def _scores(evaluation: Evaluation) -> list[Figure]:
    summary, rows = summary_of(evaluation.ordered), evaluation.ordered
    bars = [
        Bar("success", summary.success, style(0)),
        Bar("average reward", summary.reward_mean, style(1)),
        Bar("median reward", summary.reward_median, style(1)),
        Bar("interquartile mean", summary.reward_iqm, style(1)),
    ]
    rewards = [float(row["average_reward"]) for row in rows]
    won = [bool(row["success"]) for row in rows]
    words = (
        f"{summary.successes} of {summary.episodes} episodes succeed: {summary.success.text()} (95 % Wilson interval)"
    )
    return [
        Figure(words, interval_chart(bars, "per episode", "Scores with 95 % intervals")),
        Figure("Average reward of every episode, in the order of the seeds; green: success", strip(rewards, won)),
    ]


def _films(evaluation: Evaluation) -> Iterator[Figure]:
    for item_seed in evaluation.seeds[: evaluation.filmed]:
        film = evaluation.films / f"seed-{item_seed}.mp4" if evaluation.films else None
        if film and film.is_file():
            outcome = "success" if evaluation.rows[item_seed]["success"] else "failure"
            yield Figure(f"Episode seed {item_seed}: {outcome}", video=film_uri(film))
