"""``zoo compare``: which of two policies is better?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.commands.eval import seeds_of
from trunkzoo_cli.completion import complete_run, complete_task
from trunkzoo_cli.options import MAX_EPISODES, JsonOption, assigned
from trunkzoo_cli.output import emit_json, emit_table, note, say

if TYPE_CHECKING:
    from trunkzoo.rollouts import Plan

Acting = Annotated[
    str,
    typer.Argument(
        metavar="RUN|CKPT|EXPORT|POLICY",
        help="A run, a checkpoint, an export, or a policy such as lerobot:PATH.",
        autocompletion=complete_run,
    ),
]


def compare(
    first: Acting,
    second: Acting,
    episodes: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--episodes",
            min=1,
            max=MAX_EPISODES,
            help="Episodes that both play. (default: 50, or all of --seeds)",
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="A:B", help="Seeds A…B−1 instead of the first fresh report seeds.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="Both on this task. (default: that of the first checkpoint)",
            autocompletion=complete_task,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of every policy that is no agent; may be repeated."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. (default: cores)")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Step cap. (default: the task's own)")] = None,
    json: JsonOption = False,
) -> None:
    """Play the same episodes with two policies, and say whether the first is better than the second, and how sure that is.

    Either side is whatever `zoo eval` takes: an agent, an export, a policy of another package, a floor. Rows are kept beside
    the checkpoints, where `zoo eval` keeps them: what was played before is not played again.

    Examples: zoo compare runs/attnres runs/resnet --episodes 100
              zoo compare runs/attnres lerobot:outputs/act --set python=lerobot/bin/python
    """
    from trunkzoo.catalogue.part import Part
    from trunkzoo.registry import open_zoo
    from trunkzoo.rollouts import Evaluation, run
    from trunkzoo.rollouts.pairs import comparisons, plans_of, require_equal_conditions
    from trunkzoo.rollouts.progress import EvaluationBar
    from trunkzoo.rollouts.scores import summary_of

    texts, catalogue, chosen = (first, second), open_zoo().catalogue, seeds_of(seeds, episodes)
    plans = plans_of(catalogue, texts, Part(name=task) if task else None, max_steps, assigned(set_))
    sides = [Evaluation(it, chosen, it.default_file) for it in plans]
    require_equal_conditions(sides[0], sides[1])
    with EvaluationBar(plans[0].job.task.name, sides) as bar:
        run(sides, workers or len(os.sched_getaffinity(0)), bar.on_row)
    found = comparisons(_labels(first, second, plans), sides[0], sides[1])
    if json:
        rows = {text: side.ordered for text, side in zip(texts, sides, strict=True)}
        emit_json({"comparisons": [comparison.to_dict() for comparison in found], "rows": rows})
        return
    cells = []
    for text, side in zip(texts, sides, strict=True):
        total = summary_of(side.ordered)
        rate = f"{total.successes}/{total.episodes} = {total.success.text()}"
        cells.append((text, str(side.plan.provenance["step"] or "–"), rate, total.reward_mean.text(3)))
    job = plans[0].job
    title = f"{job.task.name}, seeds {chosen[0]}–{chosen[-1]}, {job.max_steps} steps each"
    emit_table(("policy", "step", "success (95 %)", "average reward (95 %)"), cells, title=title)
    for comparison in found:
        say(comparison.sentence())
    for side in (side for side in sides if side.file):
        note(f"rows are in {side.file}")


def _labels(first: str, second: str, plans: Sequence[Plan]) -> tuple[str, str]:
    """Names of recipes or policies where they tell the two apart, what was typed where they do not."""
    names = [str(each.provenance["recipe"] or each.label) for each in plans]
    return (names[0], names[1]) if names[0] != names[1] else (first, second)
