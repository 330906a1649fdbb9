"""``zoo doctor``: diagnose the installation, with a line that repairs each fault."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import counted, emit_json, emit_table, say


def doctor(
    trace: Annotated[bool, typer.Option("--trace", help="Show the traceback of every fault.")] = False,
    json: JsonOption = False,
) -> None:
    """Look at plugins, registry, renderer, versions and devices; exit code 1 if something is wrong.

    Each fault comes with the line that mends it. Every trunk is built without weights, so this takes some seconds.
    """
    from trunkzoo.testing.doctor import examine

    findings = list(counted(examine(), "looking"))
    wrong = [finding for finding in findings if not finding.ok]
    if json:
        emit_json({"ok": not wrong, "findings": [finding.to_dict() for finding in findings]})
    else:
        columns = ("", "what", "name", "found")
        emit_table(columns, [("ok" if f.ok else "WRONG", f.area, f.name, f.detail) for f in findings])
        say("nothing is wrong" if not wrong else f"{len(wrong)} wrong:")
        for finding in wrong:
            say(f"  {finding.name}: {finding.mend}" + ("; --trace shows where it fails" if finding.trace else ""))
    if trace:
        for finding in wrong:
            say(f"--- {finding.area} {finding.name}\n{finding.trace or finding.detail}", aside=True)
    if wrong:
        raise typer.Exit(1)
