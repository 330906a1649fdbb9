"""``zoo suite``: run, watch and report a comparison of recipes."""

from __future__ import annotations

import math
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_suite
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note, write_page

if TYPE_CHECKING:
    from trunkzoo.suites.engine import Engine
    from trunkzoo.suites.planning import SuitePlan

suite = typer.Typer(
    no_args_is_help=True,
    help="Compare recipes under equal budgets: run a suite, see how far it is, report it.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[
    str, typer.Argument(help="A suite of registry.toml; see `zoo list --kind suite`.", autocompletion=complete_suite)
]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where its cells lie. (default: runs/NAME)")
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="ARM", help="Only arms that match, e.g. 'imf-*'; may be repeated.")
]


class EngineName(StrEnum):
    """Where cells run."""

    local = "local"
    ray = "ray"


@suite.command("run")
def run(
    name: Name,
    out: Out = None,
    max_parallel: Annotated[
        int | None, typer.Option(min=1, help="Cores used at once; every training takes one. (default: all)")
    ] = None,
    only: Only = None,
    engine: Annotated[EngineName, typer.Option(help="local processes, or a Ray cluster.")] = EngineName.local,
    json: JsonOption = False,
) -> None:
    """Run a suite: smoke tests, demonstrations, trainings, evaluations; then print its table.

    Every cell is named by all that decides it: a killed suite continues, a changed cell runs again, nothing runs twice.

    Example: zoo suite run phase2-demo
    """
    from trunkzoo.suites.run import run_suite

    slots = max_parallel or len(os.sched_getaffinity(0))
    plan = _plan(name, out, only, slots)
    try:
        run_suite(plan, _engine(engine, max_parallel, plan), lambda line: print(line, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        note(f"finished cells are in {plan.directory}; the same command continues there")
        raise
    _show(plan, json)


@suite.command("status")
def status(name: Name, out: Out = None, only: Only = None, json: JsonOption = False) -> None:
    """Show every cell of a suite and whether it is done."""
    from trunkzoo.suites.status import status_of

    rows = status_of(_plan(name, out, only))
    if json:
        emit_json(rows)
    else:
        emit_table(("cell", "state", "progress", "time"), [tuple(row.values())[:4] for row in rows])


@suite.command("report")
def report(name: Name, out: Out = None, only: Only = None, json: JsonOption = False) -> None:
    """Print the table and the comparison of a finished suite, and write its report."""
    _show(_plan(name, out, only), json)


@suite.command("publish")
def publish(
    name: Name,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the rows go, a folder per task.")],
    out: Out = None,
    only: Only = None,
) -> None:
    """Write every episode of a finished suite as JSON lines, a file per arm: rows to commit beside a paper.

    Example: zoo suite publish phase2-demo results/phase2-demo
    """
    from trunkzoo.suites.publish import publish as write

    for path in write(_plan(name, out, only), directory):
        print(path)


def _plan(name: str, out: Path | None, only: list[str] | None, slots: int = 2) -> SuitePlan:
    from trunkzoo.registry import open_zoo
    from trunkzoo.suites.planning import plan_suite

    directory = out or Path("runs") / name
    _refuse_run(directory)
    return plan_suite(name, open_zoo(), directory, only or (), slots)


def _refuse_run(directory: Path) -> None:
    """Raise UsageError if a training run lies in ``directory``, unless cells of a suite lie there too."""
    from trunkzoo.errors import UsageError

    if (directory / "run.json").is_file() and not (directory / "cells").is_dir():
        raise UsageError(f"{directory} is a training run; give -o another directory for the cells of this suite")


def _engine(name: EngineName, max_parallel: int | None, plan: SuitePlan) -> Engine:
    if name is EngineName.ray:
        from trunkzoo.suites.ray_engine import RayEngine

        return RayEngine(plan.config.gpus_per_training, max_parallel or math.inf)  # or all that the cluster has
    from trunkzoo.suites.engine import LocalEngine

    return LocalEngine(max_parallel or len(os.sched_getaffinity(0)))


def _show(plan: SuitePlan, json: bool) -> None:
    """Print the table, then write the report beside the cells."""
    from trunkzoo.report.suite_page import write_suite_page
    from trunkzoo.suites.results import read_results
    from trunkzoo.suites.table import COLUMNS, notes, table

    results, page = read_results(plan), plan.directory / "report.html"
    if json:
        emit_json([result.as_json() for result in results])
    else:
        for result in results:
            emit_table(COLUMNS, table(result), title=f"\n{plan.name}: {result.plan.name}")
            for line in notes(result):
                print(line)
    write_page("the report", page, lambda: write_suite_page(plan, results, page))
    note(f"figures and films are in {page}")
