"""``zoo runs``: what was trained."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note


def runs(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to look, all folders below too.")] = Path(
        "runs"
    ),
    json: JsonOption = False,
) -> None:
    """List the training runs below a directory: recipe, step, best score, size, state.

    Example: zoo runs
    """
    from trunkzoo.errors import UsageError
    from trunkzoo.training.runs import facts_of_run, find_runs

    if not directory.is_dir():
        raise UsageError(f"no directory {directory}; `zoo train RECIPE --data DIR -o runs/NAME` makes the first run")
    found = [facts_of_run(run) for run in find_runs(directory)]
    if json:
        emit_json([run.to_dict() for run in found])
        return
    if not found:
        note(f"no run below {directory}; `zoo train RECIPE --data DIR -o {directory}/NAME` makes one")
        return
    rows = [(it.path, it.recipe, f"{it.step}/{it.steps}", it.score, f"{it.megabytes:.1f} MB", it.state) for it in found]
    emit_table(("run", "recipe", "step", "best score", "size", "state"), rows)
    unfinished = [run for run in found if run.state in ("stopped", "begun")]
    if any(run.suite is None for run in unfinished):
        note("`zoo train --resume RUN` continues a stopped run")
    for suite in sorted({run.suite for run in unfinished if run.suite is not None}):
        note(f"`zoo suite run NAME -o {shlex.quote(suite)}` continues the suite whose cells these are")
