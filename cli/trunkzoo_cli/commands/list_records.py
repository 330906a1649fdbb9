"""``zoo list``: trunks, heads, tasks, policies, recipes and suites."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue
    from trunkzoo.registry import Registry, RegistrySection

Listed = dict[str, str]
MANY = 8  # tasks of one plugin; more are one line
SECTIONS: tuple[RegistrySection, ...] = ("recipes", "suites")


class ListedKind(StrEnum):
    """What can be listed."""

    trunk = "trunk"
    head = "head"
    task = "task"
    policy = "policy"
    recipe = "recipe"
    suite = "suite"


def list_records(
    pattern: Annotated[str, typer.Argument(help="Part of a name, or a pattern such as 'resnet/*'.")] = "",
    kind: Annotated[list[ListedKind] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    json: JsonOption = False,
) -> None:
    """List trunks, heads, tasks, policies, recipes and suites.

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
    absent = _absent(rows)
    shown = rows if pattern else _grouped(rows)
    cells = [(row["kind"], _mark(row, absent) + row["name"], row["summary"]) for row in shown]
    emit_table(("kind", "name", "summary"), cells)
    for line, ids in absent.items():
        note(f"* {', '.join(ids[:3])}{f' and {len(ids) - 3} more' if len(ids) > 3 else ''}: not installed here: {line}")


def _absent(rows: list[Listed]) -> dict[str, list[str]]:
    """The line that installs what is missing → the records that wait for it."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.get("install"):
            found.setdefault(row["install"], []).append(row["name"])
    return found


def _mark(row: Listed, absent: dict[str, list[str]]) -> str:
    return "* " if row.get("install") else "  " if absent else ""


def _grouped(rows: list[Listed]) -> list[Listed]:
    """The rows, with the tasks of a plugin that has many of them under one line."""
    sizes = Counter(_group(row) for row in rows)
    shown: list[Listed] = []
    for row in rows:
        group = _group(row)
        if row["kind"] != "task" or sizes[group] <= MANY:
            shown.append(row)
        elif shown[-1:] == [] or _group(shown[-1]) != group:
            names = [it["name"].partition("/")[2] for it in rows if _group(it) == group]
            summary = f"{len(names)} tasks: {', '.join(names[:4])}, …; `zoo list '{group[1]}/*'` shows all"
            shown.append({**row, "name": f"{group[1]}/*", "summary": summary})
    return shown


def _group(row: Listed) -> tuple[str, str]:
    return row["kind"], row["name"].partition("/")[0]


def _records(catalogue: Catalogue) -> list[Listed]:
    from trunkzoo.plugin.records import HeadSpec, install_line

    rows = []
    for kind, id, spec in catalogue.everything():
        row = {"kind": str(kind), "name": id, "summary": spec.summary}
        plugin = catalogue.plugin_of(id)
        row |= {"distribution": plugin.distribution, "version": plugin.version}
        rows.append(row | ({} if isinstance(spec, HeadSpec) else {"install": install_line(spec)}))
    return rows


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) if any(c in pattern for c in "*?[") else pattern in name


def _recipes(registry: Registry) -> list[Listed]:
    return [
        {"kind": section.removesuffix("s"), "name": entry.name, "summary": entry.summary, "file": entry.file}
        for section in SECTIONS
        for entry in registry.entries(section)
    ]
