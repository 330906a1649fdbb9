"""``zoo suite new``: write a suite into a registry.toml."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from trunkzoo_cli.completion import complete_recipe, complete_task
from trunkzoo_cli.output import asked, note, numbered, say

FEWEST = 60  # fresh episodes where nobody says otherwise: a rate of 0.5 is then known to ± 0.13


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the suite will be called.")],
    arm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RECIPE|LABEL=RECIPE[+TRUNK]",
            help="What is compared, the first with each other one; at least two.",
            autocompletion=complete_recipe,
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None, typer.Option(metavar="…", help="Trained and evaluated alike, and shown below the arms.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Where they act. (default: the first recipe's)", autocompletion=complete_task)
    ] = None,
    demonstrations: Annotated[
        int | None, typer.Option("-n", "--demonstrations", min=1, help="Of each training. (default: 20)")
    ] = None,
    trainings: Annotated[int | None, typer.Option(min=1, help="Training seeds of every arm. (default: 3)")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps of every training. (default: the first recipe's)")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Fresh episodes of every training.")] = FEWEST,
    checkpoints: Annotated[int, typer.Option(min=1, help="Checkpoints of every training; they divide the steps.")] = 2,
    summary: Annotated[str, typer.Option(help="The question, in a line.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="The registry it goes into. (default: yours, or registry.toml)"
        ),
    ] = None,
) -> None:
    """Write a suite into your registry.toml, planned once so that it can be run; what is left out is asked in a terminal.

    Example: zoo suite new mine --arm tour-resnet --arm tour-attnres --trainings 3
    """
    from trunkzoo.errors import UsageError
    from trunkzoo.registry import open_zoo
    from trunkzoo.suites.draft import add_suite, parse_arms

    zoo = open_zoo()
    arms = arm or asked("Recipes to compare, with blanks between them", "").split()
    if len(arms) < 2:
        raise UsageError(
            f"{numbered(len(arms), 'arm')}: a comparison takes two, for example --arm tour-resnet --arm tour-attnres"
        )
    parsed = parse_arms(arms)
    first = parsed[0] if isinstance(parsed[0], str) else parsed[0]["recipe"]
    recipe = zoo.recipe(first).recipe
    place = task or asked("Task", recipe.task.name if recipe.task else "")
    if not place:
        raise UsageError(f"recipe {first} names no task: give --task, see `zoo list --kind task`")
    trained = steps or recipe.train.steps
    demos = demonstrations or int(asked("Demonstrations of each training", "20"))
    values: dict[str, Any] = {
        **({"summary": summary} if summary else {}),
        "arms": parsed,
        **({"baselines": parse_arms(baseline)} if baseline else {}),
        "tasks": [{"name": zoo.catalogue.task(place).id, "demonstrations": demos}],
        "training_seeds": list(range(trainings or int(asked("Training seeds of every arm", "3")))),
        "steps": trained,
        "batch_size": recipe.train.batch_size,
        "checkpoints": checkpoints,
        "report_episodes": episodes,
    }
    file = out or Path(os.environ.get("TRUNKZOO_REGISTRY") or "registry.toml")
    plan = add_suite(file, name, values, zoo)
    cells = sum(len(of) for of in plan.stages().values())
    say(f"[suites.{name}] is in {file}: {len(plan.config.everyone)} recipes, {cells} cells. Next:")
    here = Path(os.environ.get("TRUNKZOO_REGISTRY") or "registry.toml")
    zoo_command = "zoo" if file.resolve() == here.resolve() else f"zoo --registry {shlex.quote(str(file))}"
    say(f"  {zoo_command} suite plan {name} --detect 0.1\n  {zoo_command} suite run {name}")
    if len(plan.config.training_seeds) == 1:
        note("one training seed speaks of two trained agents, not of two recipes; --trainings 3 would")
