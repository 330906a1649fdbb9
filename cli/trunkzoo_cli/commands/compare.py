"""``zoo compare``: which of two agents is better?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.commands.eval import default_file, seeds_of
from trunkzoo_cli.completion import complete_run, complete_task
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note, say

if TYPE_CHECKING:
    from trunkzoo.rollouts import Evaluation

Checkpoint = Annotated[
    Path, typer.Argument(metavar="RUN|CKPT", help="A run or a checkpoint.", autocompletion=complete_run)
]


def compare(
    first: Checkpoint,
    second: Checkpoint,
    episodes: Annotated[
        int | None,
        typer.Option("-n", "--episodes", min=1, help="Episodes that both play. (default: 50, or all of --seeds)"),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="A:B", help="Seeds A…B−1 instead of the first fresh report seeds.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="Both on this task. (default: their own)", autocompletion=complete_task),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. (default: cores)")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Step cap. (default: the task's own)")] = None,
    json: JsonOption = False,
) -> None:
    """Play the same episodes with two agents, and say whether the first is better than the second, and how sure that is.

    Rows are kept beside the checkpoints, where `zoo eval` keeps them: what was played before is not played again.

    Example: zoo compare runs/attnres runs/resnet --episodes 100
    """
    from trunkzoo.catalogue.part import Part
    from trunkzoo.registry import open_zoo
    from trunkzoo.rollouts import Evaluation, plan, run
    from trunkzoo.rollouts.pairs import comparisons, require_equal_conditions
    from trunkzoo.rollouts.progress import EvaluationBar
    from trunkzoo.rollouts.scores import summary_of

    part, catalogue = Part(name=task) if task else None, open_zoo().catalogue
    plans = [plan(catalogue, "agent", path, part, max_steps) for path in (first, second)]
    chosen = seeds_of(seeds, episodes)
    sides = [
        Evaluation(it, chosen, default_file(path, it.job.checkpoint, "agent"))
        for path, it in zip((first, second), plans, strict=True)
    ]
    require_equal_conditions(sides[0], sides[1])
    _refuse_itself(sides)
    with EvaluationBar(plans[0].job.task.name, sides) as bar:
        run(sides, workers or len(os.sched_getaffinity(0)), bar.on_row)
    found = comparisons(_labels(first, second, sides), sides[0], sides[1])
    if json:
        rows = {str(path): side.ordered for path, side in zip((first, second), sides, strict=True)}
        emit_json({"comparisons": [comparison.to_dict() for comparison in found], "rows": rows})
        return
    cells = []
    for path, side in zip((first, second), sides, strict=True):
        total = summary_of(side.ordered)
        rate = f"{total.successes}/{total.episodes} = {total.success.text()}"
        cells.append((str(path), str(side.plan.provenance["step"]), rate, total.reward_mean.text(3)))
    job = plans[0].job
    title = f"{job.task.name}, seeds {chosen[0]}–{chosen[-1]}, {job.max_steps} steps each"
    emit_table(("agent", "step", "success (95 %)", "average reward (95 %)"), cells, title=title)
    for comparison in found:
        say(comparison.sentence())
    for side in sides:
        note(f"rows are in {side.file}")


def _refuse_itself(sides: list[Evaluation]) -> None:
    from trunkzoo.errors import UsageError

    files = {side.file for side in sides}
    if len(files) == 1:
        raise UsageError("both are the same checkpoint; give two different ones")


def _labels(first: Path, second: Path, sides: list[Evaluation]) -> tuple[str, str]:
    """Recipe names where they tell the two apart, paths where they do not."""
    names = [str(side.plan.provenance["recipe"]) for side in sides]
    return (names[0], names[1]) if names[0] != names[1] else (str(first), str(second))
