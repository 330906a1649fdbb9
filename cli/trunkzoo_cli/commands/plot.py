"""``zoo plot``: training curves of runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.completion import complete_run
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, note


def plot(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Run directories; see `zoo runs`.", autocompletion=complete_run)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="A .html page or a .png picture.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Only this metric; may be repeated. (default: all logged)")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Draw what runs logged in metrics.jsonl, one chart for each metric, one line for each run.

    A run that is still training is drawn as far as it is.

    Example: zoo plot runs/resnet runs/attnres --metric loss --metric holdout_error -o curves.html
    """
    from trunkzoo.report.curves import write_curves

    drawn = write_curves(runs, out, metric or [])
    if json:
        emit_json({"file": str(out), "metrics": drawn})
    else:
        note(f"{', '.join(drawn)} drawn to {out}")
