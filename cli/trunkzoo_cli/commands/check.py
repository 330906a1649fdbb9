"""``zoo check``: does a plugin keep the rules?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_record
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, progress

if TYPE_CHECKING:
    from trunkzoo.testing import Report


def check(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A plugin, or one trunk, head or task.", autocompletion=complete_record),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Check this configuration of one record, e.g. width=16."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the checks that take seconds each.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the conformance checks of a plugin, or of one trunk, head or task.

    Exit code 1 if a check fails, or if too few could run to mean anything. A record may declare a check that it cannot
    pass in `known_gaps`, with the reason; a gap that has closed is a failure.

    Example: zoo check resnet/resnet-18 --set width=16
    """
    from trunkzoo.registry import open_zoo, parse_assignments
    from trunkzoo.testing.report import Report, floor_of, require_one, run_records

    records = open_zoo().catalogue.chosen(name)
    settings = parse_assignments(set_ or [])
    require_one(records, settings, name)
    floor = floor_of(records, slow=not quick)
    results = list(progress(run_records(records, settings, slow=not quick), f"checking {name}"))
    report = Report(tuple(results), floor)
    if json:
        emit_json(report.to_dict())
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    emit_table(
        ("record", "check", "result", "time", "detail"),
        [(r.id, r.check, r.outcome, f"{r.seconds:.2f} s", r.detail) for r in report.results],
    )
    counts = ", ".join(f"{number} {outcome}" for outcome, number in report.counts.items() if number)
    print(f"{'ok' if report.ok else 'FAILED'}: {counts}")
    if report.ran < report.floor:
        print(f"only {report.ran} checks could run; a result needs {report.floor}")
