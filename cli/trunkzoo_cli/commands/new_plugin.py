"""``zoo new-plugin``: a complete third-party package to start from."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.output import note, say


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name; its trunk becomes NAME/NAME-s.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the package; must be new or empty.")],
) -> None:
    """Write a complete plugin package: settings, a small network, conformance tests, pyproject.

    It passes `zoo check` as it stands; then replace the network by yours.

    Example: zoo new-plugin mine ./trunkzoo-mine && pip install -e ./trunkzoo-mine && zoo check mine
    """
    from trunkzoo.errors import UsageError

    _check_name(name)
    try:
        if directory.exists() and any(directory.iterdir()):
            raise UsageError(f"{directory} is not empty; give a new directory")
        written = list(_write(_templates(), directory, _words(name)))
    except OSError as error:
        raise UsageError(f"cannot write {directory}: {error.strerror}") from None
    say(f"{len(written)} files in {directory}. Next:")
    say(f"  pip install -e {directory}\n  zoo check {name}\n  zoo smoke imf-resnet18-demo --trunk {name}/{name}-s")


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


def _words(name: str) -> dict[str, str]:
    """What the templates leave open."""
    parts = name.replace("-", "_").replace(".", "_").split("_")
    return {
        "@NAME@": name,
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
