"""``zoo check``: run the conformance checks of a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_record
from trunkzoo_cli.options import JsonOption, assigned
from trunkzoo_cli.output import counted, emit_json, emit_table, note, say

if TYPE_CHECKING:
    from trunkzoo.testing import Report


def check(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A plugin, or one of its records.", autocompletion=complete_record),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Check this configuration of one record, e.g. width=16."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the checks that take seconds each.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the conformance checks of a plugin, or of one trunk, head, task or policy.

    Exit code 1 if a check fails, or if too few could run to mean anything. A record may declare a check that it cannot
    pass in `known_gaps`, with the reason; a gap that has closed is a failure.

    Example: zoo check resnet/resnet-18 --set width=16
    """
    from trunkzoo.registry import open_zoo
    from trunkzoo.testing.report import Report, least_checks_of, require_one, run_records

    catalogue = open_zoo().catalogue
    records = catalogue.chosen(name)
    for _, id, _ in [record for record in catalogue.called(name) if record not in records]:
        note(f"{id} is called so too; `zoo check {id}` checks it")
    settings = assigned(set_)
    require_one(records, settings, name)
    least = least_checks_of(records, slow=not quick)
    results = list(counted(run_records(records, settings, slow=not quick), f"checking {name}"))
    report = Report(tuple(results), least)
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
    say(f"{'ok' if report.ok else 'FAILED'}: {counts}")
    if report.ran < report.least_checks:
        say(f"only {report.ran} checks could run; a result needs {report.least_checks}")
