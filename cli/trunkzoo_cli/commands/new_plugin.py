"""``zoo new-plugin``: a complete third-party package to start from."""

from __future__ import annotations

import shlex
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.output import note, say


class Kind(StrEnum):
    """What a plugin ships."""

    trunk = "trunk"
    head = "head"
    task = "task"
    policy = "policy"


TRY = {
    Kind.trunk: "zoo smoke tour-resnet --trunk {id}",
    Kind.head: "zoo smoke tour-resnet --set head.name={id}",
    Kind.task: "zoo eval --policy expert --task {id} -n 20",
    Kind.policy: "zoo eval {id} --task reach/reach -n 20",
}


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name; its record becomes NAME/NAME-s.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the package; must be new or empty.")],
    kind: Annotated[Kind, typer.Option(help="What it ships to start with.")] = Kind.trunk,
) -> None:
    """Write a complete plugin package: settings, a small trunk, head, task or policy, conformance tests, pyproject.

    It passes `zoo check` as it stands; then replace what it ships by yours.

    Example: zoo new-plugin mine ./trunkzoo-mine && pip install -e ./trunkzoo-mine && zoo check mine
    """
    from trunkzoo.errors import UsageError

    _check_name(name)
    try:
        if directory.exists() and any(directory.iterdir()):
            raise UsageError(f"{directory} is not empty; give a new directory")
        words = _words(name, kind)
        written = [path for part in ("common", kind.value) for path in _write(_templates() / part, directory, words)]
    except OSError as error:
        raise UsageError(f"cannot write {directory}: {error.strerror}") from None
    say(f"{len(written)} files in {directory}. Next:")
    say(
        f"  pip install -e {shlex.quote(str(directory))}\n  zoo check {name}\n  {TRY[kind].format(id=f'{name}/{name}-s')}"
    )


def _check_name(name: str) -> None:
    from trunkzoo.errors import UsageError
    from trunkzoo.plugin.records import name_fault
    from trunkzoo.registry import open_zoo

    if fault := name_fault("plugin", name):
        raise UsageError(fault)
    catalogue = open_zoo().catalogue
    owner = catalogue.names.reserved.get(name)
    if owner is not None:
        raise UsageError(f"the plugin name '{name}' is reserved for {owner}; choose another")
    taken = [row.distribution for row in catalogue.plugins if row.name == name]
    if taken:
        note(f"{taken[0]} already claims the plugin name '{name}'; with both installed neither will load")


def _words(name: str, kind: Kind) -> dict[str, str]:
    """What the templates leave open."""
    parts = name.replace("-", "_").replace(".", "_").split("_")
    return {
        "@NAME@": name,
        "@KIND@": kind.value,
        "@NEEDS@": "numpy>=1.26" if kind in (Kind.task, Kind.policy) else "torch>=2.11",
        "@MODULE@": "trunkzoo_" + "_".join(parts),
        "@DISTRIBUTION@": "trunkzoo-" + "-".join(parts),
        "@CLASS@": "".join(part.capitalize() for part in parts),
    }


def _templates() -> Traversable:
    return resources.files("trunkzoo_cli") / "templates"


def _write(source: Traversable, target: Path, words: dict[str, str]) -> list[Path]:
    """Copy a folder of templates, filling in the words; returns the files written."""
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for entry in source.iterdir():
        if entry.is_dir():
            folder = words["@MODULE@"] if entry.name == "module" else entry.name
            written += _write(entry, target / folder, words)
            continue
        text = entry.read_text(encoding="utf-8")
        for word, replacement in words.items():
            text = text.replace(word, replacement)
        path = target / {"gitignore.txt": ".gitignore"}.get(entry.name, entry.name.removesuffix(".txt"))
        path.write_text(text, encoding="utf-8")
        written.append(path)
    if target.name == words["@MODULE@"]:
        (target / "py.typed").touch()
    return written
