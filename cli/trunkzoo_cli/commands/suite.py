"""``zoo suite``: run, watch and report a comparison of recipes."""

from __future__ import annotations

import math
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trunkzoo_cli.commands.suite_looks import Outcome, UntilName, check_looks
from trunkzoo_cli.commands.suite_new import new
from trunkzoo_cli.completion import complete_suite
from trunkzoo_cli.options import MAX_PROCESSES, JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note, say, write_page

if TYPE_CHECKING:
    from trunkzoo.registry import Zoo
    from trunkzoo.suites.engine import Engine
    from trunkzoo.suites.plan import SuitePlan

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
Trainings = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Only the first N training seeds; the same command with more goes on."),
]
FROM_HELP = "Published rows, as `zoo suite publish` writes them"
From = Annotated[Path | None, typer.Option("--from", metavar="DIR", help=f"{FROM_HELP}.")]
FromAll = Annotated[list[Path] | None, typer.Option("--from", metavar="DIR", help=f"{FROM_HELP}; may be repeated.")]


MEASURE: dict[Outcome, Literal["success", "average reward"]] = {
    Outcome.success: "success",
    Outcome.reward: "average reward",
}


class EngineName(StrEnum):
    """Where cells run."""

    local = "local"
    ray = "ray"
    slurm = "slurm"


suite.command("new")(new)


@suite.command("run")
def run(
    name: Name,
    out: Out = None,
    max_parallel: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_PROCESSES, help="Cores used at once; every training takes one. (default: all)"),
    ] = None,
    only: Only = None,
    trainings: Trainings = None,
    published: FromAll = None,
    until: Annotated[
        UntilName | None,
        typer.Option(
            help="Look after every training seed from the third; end when all is decided, or decided or futile."
        ),
    ] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="What --until looks at.", show_default="success")] = None,
    detect: Annotated[
        float | None,
        typer.Option(metavar="DIFFERENCE", help="What --until calls worth finding.", show_default="0.1"),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="local processes, a Ray cluster, or jobs of SLURM.")
    ] = EngineName.local,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Train through torch.compile: faster steps, results differ by rounding.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing but the table, or what failed.")] = False,
    json: JsonOption = False,
) -> None:
    """Run a suite: smoke tests, demonstrations, trainings, evaluations; then print its table.

    Every cell is named by all that decides it: a killed suite continues, a changed cell runs again, nothing runs twice.

    With --from, published cells of the same name are taken as done.

    Example: zoo suite run phase2-demo
    """
    from trunkzoo.registry import open_zoo
    from trunkzoo.suites.planning import load_slurm
    from trunkzoo.suites.published import adopt
    from trunkzoo.suites.run import run_suite
    from trunkzoo.suites.stopping import forget_stop, run_until

    check_looks(until, outcome, detect)
    zoo = open_zoo()
    slots = (
        load_slurm(zoo.registry).cpus if engine is EngineName.slurm else max_parallel or len(os.sched_getaffinity(0))
    )
    plan = _plan(name, out, only, slots, trainings, zoo, compile_)
    for folder in published or ():
        note(f"{adopt(plan, folder)} evaluations and floors taken from {folder}")
    cells, tell = _engine(engine, max_parallel, plan, zoo), None if quiet else _say
    try:
        if until is None:
            forget_stop(plan.directory)
            run_suite(plan, cells, tell)
        else:
            run_until(
                plan, cells, tell, until.value, MEASURE[outcome or Outcome.success], 0.1 if detect is None else detect
            )
    except KeyboardInterrupt:
        jobs = "; its jobs stay in SLURM's queue" if engine is EngineName.slurm else ""
        note(f"finished cells are in {plan.directory}{jobs}; the same command continues there")
        raise
    _show(plan, json)


@suite.command("status")
def status(
    name: Name,
    out: Out = None,
    only: Only = None,
    trainings: Trainings = None,
    published: FromAll = None,
    json: JsonOption = False,
) -> None:
    """Show every cell of a suite and whether it is done.

    With --from, cells that `zoo suite run --from` would take over are shown as published.
    """
    from trunkzoo.suites.published import published_keys
    from trunkzoo.suites.status import status_of

    plan = _plan(name, out, only, trainings=trainings)
    rows = status_of(plan, {key for folder in published or () for key in published_keys(plan, folder)})
    if json:
        emit_json(rows)
    else:
        shown = ["cell", "state", "progress", "time", *(["job"] if any(row["job"] for row in rows) else [])]
        emit_table(shown, [tuple(row[column] for column in shown) for row in rows])


@suite.command("report")
def report(
    name: Name, out: Out = None, only: Only = None, trainings: Trainings = None, json: JsonOption = False
) -> None:
    """Print the table and the comparison of a finished suite, and write its report."""
    _show(_plan(name, out, only, trainings=trainings), json)


@suite.command("plan")
def plan(
    name: Name,
    detect: Annotated[float, typer.Option(metavar="DIFFERENCE", help="The true difference to be found.")] = 0.1,
    outcome: Annotated[Outcome, typer.Option(help="Success rate, or average reward per step.")] = Outcome.success,
    spread: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="TRAINING EPISODE", help="Standard deviations of a difference, instead of measured ones."),
    ] = None,
    published: From = None,
    out: Out = None,
    only: Only = None,
    json: JsonOption = False,
) -> None:
    """Say how many trainings and episodes find a difference four times in five.

    Example: zoo suite plan phase2-cpu --detect 0.1 --from results/phase2-cpu
    """
    from trunkzoo.suites.outlook import outlook

    found = outlook(_plan(name, out, only), MEASURE[outcome], detect, spread, published)
    if json:
        emit_json([each.to_dict() for each in found])
        return
    for each in found:
        columns = ("episodes", "trainings, two arms alone", f"trainings, variance of {each.arms} arms")
        rows = [(str(n), *("over 2000" if k is None else str(k) for k in of)) for n, of in each.needed.items()]
        emit_table(columns, rows, title=f"\n{name}: to find {detect:g} in {each.measure}, {each.task}")
        say(each.sentence())


@suite.command("publish")
def publish(
    name: Name,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the rows go, a folder per task.")],
    out: Out = None,
    only: Only = None,
    partial: Annotated[bool, typer.Option("--partial", help="Only what is finished, of a suite that is not.")] = False,
) -> None:
    """Write every episode of a finished suite as JSON lines, a file per arm: rows to commit beside a paper.

    `zoo suite run NAME --from DIR` goes on from them on another machine.

    Example: zoo suite publish phase2-demo results/phase2-demo
    """
    from trunkzoo.suites.publish import publish as write

    for path in write(_plan(name, out, only), directory, partial):
        say(path)


def _say(line: str) -> None:
    say(line, aside=True)


def _plan(
    name: str,
    out: Path | None,
    only: list[str] | None,
    slots: int = 2,
    trainings: int | None = None,
    zoo: Zoo | None = None,
    compile: bool = False,
) -> SuitePlan:
    from trunkzoo.registry import open_zoo
    from trunkzoo.suites.planning import plan_suite

    directory = out or Path("runs") / name
    _refuse_run(directory)
    whole = plan_suite(name, zoo or open_zoo(), directory, only or (), slots, compile)
    return whole if trainings is None else whole.first(trainings)


def _refuse_run(directory: Path) -> None:
    """Raise UsageError if a training run lies in ``directory``, unless cells of a suite lie there too."""
    from trunkzoo.errors import UsageError

    if (directory / "run.json").is_file() and not (directory / "cells").is_dir():
        raise UsageError(f"{directory} is a training run; give -o another directory for the cells of this suite")


def _engine(name: EngineName, max_parallel: int | None, plan: SuitePlan, zoo: Zoo) -> Engine:
    if name is EngineName.slurm:
        from trunkzoo.suites.planning import load_slurm
        from trunkzoo.suites.slurm_engine import SlurmEngine

        limit = max_parallel or math.inf  # or all that the queue gives
        return SlurmEngine(load_slurm(zoo.registry), plan.directory, plan.config.gpus_per_training, limit)
    if name is EngineName.ray:
        from trunkzoo.suites.ray_engine import RayEngine

        return RayEngine(plan.config.gpus_per_training, max_parallel or math.inf)  # or all that the cluster has
    from trunkzoo.suites.engine import LocalEngine

    return LocalEngine(max_parallel or len(os.sched_getaffinity(0)))


def _show(plan: SuitePlan, json: bool) -> None:
    """Print the table, then write the report beside the cells."""
    from trunkzoo.report.suite_page import write_suite_page
    from trunkzoo.suites.held_out import error_differences
    from trunkzoo.suites.layout import REPORT
    from trunkzoo.suites.outcomes import outcome_table, outcomes_of
    from trunkzoo.suites.paired_outcomes import paired_numbers, paired_table
    from trunkzoo.suites.results import read_results
    from trunkzoo.suites.stopping import read_stop
    from trunkzoo.suites.table import COLUMNS, notes, table

    stop = read_stop(plan.directory)
    plan = plan if stop is None else plan.first(stop.trainings)
    results, page = read_results(plan), plan.directory / REPORT
    if json:
        ways = [{arm.plan.label: outcomes_of(arm, result.plan.stages) for arm in result.arms} for result in results]
        errors = [[found.to_dict() for found in error_differences(result)] for result in results]
        finer = [paired_numbers(result) for result in results]
        names = ("outcomes", "holdout_differences", "outcome_differences")
        more = [dict(zip(names, of, strict=True)) for of in zip(ways, errors, finer, strict=True)]
        emit_json([{**result.to_dict(), **also} for result, also in zip(results, more, strict=True)])
    else:
        for result in results:
            emit_table(COLUMNS, table(result), title=f"\n{plan.name}: {result.plan.name}")
            emit_table(*outcome_table(result))
            if result.comparisons:
                emit_table(*paired_table(result))
            errors_said = [found.sentence() for found in error_differences(result)]
            for line in [*([stop.sentence(result.plan.name)] if stop else []), *notes(result), *errors_said]:
                say(line)
    write_page("the report", page, lambda: write_suite_page(plan, results, page, stop))
    note(f"figures and films are in {page}")
