"""``zoo list``: what can be combined."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue
    from trunkzoo.registry import Registry, Section

Row = dict[str, str]
SECTIONS: tuple[Section, ...] = ("recipes", "suites")


class Kind(StrEnum):
    """What can be listed."""

    trunk = "trunk"
    head = "head"
    task = "task"
    recipe = "recipe"
    suite = "suite"


def list_records(
    pattern: Annotated[str, typer.Argument(help="Part of a name, or a pattern such as 'resnet/*'.")] = "",
    kind: Annotated[list[Kind] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    json: JsonOption = False,
) -> None:
    """List trunks, heads, tasks, recipes and suites.

    Short names work wherever a name is asked for, while they are unique: `resnet-18` is `resnet/resnet-18`.
    """
    from trunkzoo.registry import open_zoo

    zoo = open_zoo()
    rows = [
        row
        for row in [*_records(zoo.catalogue), *_recipes(zoo.usable)]
        if (not kind or row["kind"] in kind) and _matches(row["name"], pattern)
    ]
    for line in zoo.notes:
        note(line)
    if json:
        emit_json(rows)
        return
    if not rows:
        from trunkzoo.errors import did_you_mean

        known = [row["name"] for row in [*_records(zoo.catalogue), *_recipes(zoo.usable)]]
        near = did_you_mean(pattern, [part for name in known for part in (name, *name.split("/"))])
        note(f"nothing matches '{pattern}'.{near} `zoo list` alone shows all")
        return
    emit_table(("kind", "name", "summary"), [(row["kind"], row["name"], row["summary"]) for row in rows])


def _records(catalogue: Catalogue) -> list[Row]:
    rows = []
    for kind, id, spec in catalogue.everything():
        row = {"kind": str(kind), "name": id, "summary": spec.summary}
        plugin = catalogue.plugin_of(id)
        rows.append(row | {"distribution": plugin.distribution, "version": plugin.version})
    return rows


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) if any(c in pattern for c in "*?[") else pattern in name


def _recipes(registry: Registry) -> list[Row]:
    return [
        {"kind": section.removesuffix("s"), "name": entry.name, "summary": entry.summary, "file": entry.file}
        for section in SECTIONS
        for entry in registry.entries(section)
    ]
