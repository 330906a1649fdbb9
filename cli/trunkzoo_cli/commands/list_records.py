"""``zoo list``: trunks, heads, tasks, policies, recipes and suites."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_pattern
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from trunkzoo.catalogue.catalogue import Catalogue
    from trunkzoo.registry import Registry, RegistrySection, Zoo

Listed = dict[str, Any]
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


class SortChoice(StrEnum):
    """What trunks are ordered by."""

    name = "name"
    parameters = "parameters"
    channels = "channels"
    stride = "stride"
    multiply_adds = "multiply-adds"


COUNTED = ("params", "channels", "stride", "macs_96")
"""Figures of a trunk with its defaults; registry.toml vouches for them, or they are absent."""


def list_records(
    pattern: Annotated[
        str, typer.Argument(help="Part of a name, or a pattern such as 'resnet/*'.", autocompletion=complete_pattern)
    ] = "",
    kind: Annotated[list[ListedKind] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    sort: Annotated[SortChoice | None, typer.Option(help="Order trunks by a figure, smallest first.")] = None,
    max_params: Annotated[
        float | None, typer.Option(metavar="MILLIONS", min=0, help="Trunks of at most so many million parameters.")
    ] = None,
    max_stride: Annotated[
        int | None, typer.Option(metavar="PIXELS", min=1, help="Trunks of at most so many pixels per cell.")
    ] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Trunks that take pretrained weights.")] = False,
    json: JsonOption = False,
) -> None:
    """List trunks, heads, tasks, policies, recipes and suites.

    Short names work wherever a name is asked for, while they are unique: `resnet-18` is `resnet/resnet-18`. A list of trunks
    has their figures with default settings: parameters, channels, input pixels per cell, multiply-adds of a 96 × 96 image.
    Figures that nobody vouches for are left open; `zoo show TRUNK` counts them.

    Examples: zoo list --kind trunk --sort parameters
              zoo list 'resnet/*' --max-params 15 --pretrained
    """
    from trunkzoo.registry import open_zoo

    zoo = open_zoo()
    filtered = sort is not None or max_params is not None or max_stride is not None or pretrained
    kinds = [*(kind or []), *([ListedKind.trunk] if filtered and not kind else [])]
    if filtered and kinds != [ListedKind.trunk]:
        from trunkzoo.errors import UsageError

        raise UsageError("--sort, --max-params, --max-stride and --pretrained are about trunks; leave --kind out")
    rows = [
        row
        for row in [*_records(zoo.catalogue), *_recipes(zoo.usable)]
        if (not kinds or row["kind"] in kinds) and _matches(row["name"], pattern)
    ]
    only_trunks = bool(rows) and all(row["kind"] == "trunk" for row in rows)
    if only_trunks:
        rows = _counted(rows, zoo)
        rows = [row for row in rows if _within(row, max_params, max_stride, pretrained=pretrained)]
        rows.sort(key=_order(sort))
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
    if only_trunks:
        columns = ("name", "parameters", "channels", "stride", "multiply-adds at 96", "pretrained", "summary")
        emit_table(columns, [(_mark(row, absent) + row["name"], *_figures(row), row["summary"]) for row in shown])
    else:
        cells = [(row["kind"], _mark(row, absent) + row["name"], row["summary"]) for row in shown]
        emit_table(("kind", "name", "summary"), cells)
    for line, ids in absent.items():
        note(f"* {', '.join(ids[:3])}{f' and {len(ids) - 3} more' if len(ids) > 3 else ''}: not installed here: {line}")


def _counted(rows: list[Listed], zoo: Zoo) -> list[Listed]:
    """Trunks with what registry.toml vouches for; None where it says nothing."""
    from trunkzoo.errors import ZooError

    try:
        facts = zoo.usable.trunks
    except ZooError as error:  # of the user's registry.toml: the list goes on
        note(str(error))
        facts = {}
    known = {name: found.model_dump(include=set(COUNTED)) for name, found in facts.items()}
    takes = {id: "weights" in spec.initial for id, spec in zoo.catalogue.trunks.items()}
    return [
        {**row, **(known.get(row["name"]) or dict.fromkeys(COUNTED)), "pretrained": takes[row["name"]]} for row in rows
    ]


def _within(row: Listed, millions: float | None, stride: int | None, *, pretrained: bool) -> bool:
    """Whether a trunk passes the filters; one whose figure is not known passes none about it."""
    small = millions is None or (row["params"] is not None and row["params"] <= millions * 1e6)
    fine = stride is None or (row["stride"] is not None and row["stride"] <= stride)
    return small and fine and (row["pretrained"] or not pretrained)


def _order(sort: SortChoice | None) -> Callable[[Listed], tuple[bool, Any]]:
    """Smallest first, unknown last; without a choice the order stays."""
    if sort is None:
        return lambda row: (False, 0)
    key = {SortChoice.parameters: "params", SortChoice.multiply_adds: "macs_96"}.get(sort, sort.value)
    return lambda row: (row[key] is None, row[key] or 0)


def _figures(row: Listed) -> tuple[str, ...]:
    def millions(value: int | None) -> str:
        return "–" if value is None else f"{value / 1e6:.1f} M"

    plain = ["–" if row[key] is None else f"{row[key]:,}" for key in ("channels", "stride")]
    return millions(row["params"]), *plain, millions(row["macs_96"]), "yes" if row["pretrained"] else "no"


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
