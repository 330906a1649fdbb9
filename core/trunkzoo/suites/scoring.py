"""Evaluation cells: checkpoints on selection seeds, one of them on fresh seeds, floors and the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.errors import ZooError
from trunkzoo.rollouts import Evaluation, Plan, plan, run
from trunkzoo.rollouts.job import Item
from trunkzoo.rollouts.policies import make_agent_policy
from trunkzoo.rollouts.rows import Row
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import GAZE, RUN, film_file, report_rows, selection_rows
from trunkzoo.suites.plan import seeds_of
from trunkzoo.training.directory import RunDirectory


def evaluate_cell(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Score every checkpoint on the selection seeds, then the last or the best of them on fresh report seeds."""
    plans = {step: _planned(cell, catalogue, "agent", path) for step, path in _checkpoints(cell).items()}
    selection = {step: _selection(cell, step, planned) for step, planned in plans.items()}
    # one worker: the suite counts a cell as one core, and more would take those of other cells
    run(list(selection.values()), workers=1)
    scores = {step: average_reward(evaluation.ordered) for step, evaluation in selection.items()}
    chosen = max(scores) if cell.inputs.get("reported") == "last" else max(scores, key=lambda step: scores[step])
    report = _report(cell, "agent", plans[chosen])
    unseeing = _planned(cell, catalogue, "blind", plans[chosen].job.checkpoint)
    blind = [_report(cell, "blind", unseeing)] if cell.inputs["blind"] else []
    run([report, *blind], workers=1)
    if cell.inputs["pictures"]:
        _show(cell, report, catalogue)
    selected = {str(step): score for step, score in scores.items()}
    sight = _sight(cell, report, catalogue) if "sight" in cell.inputs else {}
    return {"selection": selected, "chosen": chosen, "latency_ms": report.latency_ms, **sight}


def floor_cell(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Evaluate the no-op policy, the random one or the expert on the report seeds."""
    task, policy = Part.model_validate(cell.inputs["task"]), cell.inputs["policy"]
    run([_report(cell, policy, plan(catalogue, policy, task=task))], workers=1)
    return {}


def average_reward(rows: Sequence[Row]) -> float:
    """Mean over episodes of the average reward per step: what «max avg_reward» is the maximum of."""
    return sum(float(row["average_reward"]) for row in rows) / len(rows)


def _checkpoints(cell: Cell) -> dict[int, Path]:
    """The scheduled checkpoints of the training; one that a stop left behind is not among them."""
    found = RunDirectory(cell.home / str(cell.inputs["directory"]) / RUN).checkpoints()
    missing = [str(step) for step in cell.inputs["checkpoints"] if step not in found]
    if missing:
        raise ZooError(f"{cell.label} lacks the checkpoints of step {', '.join(missing)}; every arm must have all")
    return {step: found[step] for step in cell.inputs["checkpoints"]}


def _planned(cell: Cell, catalogue: Catalogue, policy: str, checkpoint: Path | None) -> Plan:
    return plan(catalogue, policy, checkpoint, num_action_steps=cell.inputs.get("num_action_steps"))


def _selection(cell: Cell, step: int, planned: Plan) -> Evaluation:
    return Evaluation(planned, seeds_of(cell.inputs["selection"]), selection_rows(cell.directory, step))


def _report(cell: Cell, name: str, planned: Plan) -> Evaluation:
    return Evaluation(planned, seeds_of(cell.inputs["report"]), report_rows(cell.directory, name))


def _sight(cell: Cell, report: Evaluation, catalogue: Catalogue) -> dict[str, float]:
    """How exactly the reported agent sees the task's objects, and what a guess is worth, m; empty where that has no answer."""
    from trunkzoo.rollouts.sight import measure_sight

    task = make_task(catalogue.configure("task", report.plan.job.task))
    try:
        found = measure_sight(make_agent_policy(report.plan.job, catalogue), task, seeds_of(cell.inputs["sight"]))
    finally:
        task.close()
    return {"place_error": found.error, "place_guess": found.guess} if found else {}


def _show(cell: Cell, report: Evaluation, catalogue: Catalogue) -> None:
    """Film the first success and the first failure, and record where the agent looks: episodes repeat exactly."""
    from trunkzoo.rollouts.film import film
    from trunkzoo.rollouts.record_gaze import record_gaze

    job = report.plan.job
    scene = catalogue.configure("task", job.task)
    task, policy = make_task(scene), make_agent_policy(job, catalogue)
    try:
        record_gaze(policy, task, report.seeds[0], job.max_steps).save(cell.directory / GAZE)
        for outcome, won in (("success", True), ("failure", False)):
            seed = next((int(row["seed"]) for row in report.ordered if row["success"] is won), None)
            if seed is not None:
                film(task, policy, Item(job, seed, film_file(cell.directory, outcome, seed)), scene.spec.fps)
    finally:
        task.close()
