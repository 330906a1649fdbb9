"""Where each key of a TOML file stands: ``tomllib`` gives values without lines, people need lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from trunkzoo.errors import ConfigError
from trunkzoo.plain import check_plain

KeyPath = tuple[str, ...]
"""Keys from the outermost table down to a value: ``("recipes", "imf-resnet18", "train", "steps")``."""


def read_toml(text: str, file: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ConfigError: ``file:line``, the key on that line, and what is wrong with it.
    """
    try:
        return cast("dict[str, Any]", check_plain(tomllib.loads(text), finite=False))
    except (ValueError, RecursionError) as error:  # ValueError also for integers of more than 4300 digits
        raise ConfigError(_syntax_error(text, file, error)) from None


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every key and table of a valid TOML text; in an array of tables, of the last entry."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, statement, parsed in _statements(text):
        # a header alone parses to nested empty tables, and its one path is that of the table
        if statement.lstrip().startswith("["):
            table = next(_paths(parsed))[-1] if parsed else ()
            _note_prefixes(lines, table, number)
            continue
        for *_, path in _paths(parsed):
            _note_prefixes(lines, (*table, *path), number)
    return lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of ``path``, or of the nearest table above it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _syntax_error(text: str, file: str, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"{file}: nested too deeply to be a registry"
    message = str(error)
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    if found is None:
        return f"{file}: {message}"
    number = int(found[1])
    line = text.splitlines()[number - 1].strip() if number <= len(text.splitlines()) else ""
    key = f" at '{line.split('=')[0].strip()}'" if line else ""
    return f"{file}:{number}:{key} {message[: found.start()]}"


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Each header or assignment with the line it starts on and its values, those over several lines joined."""
    pending: list[str] = []
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start = start if pending else number
        pending.append(line)
        statement = "\n".join(pending)
        try:
            parsed = tomllib.loads(statement)
        except ValueError:  # it goes on in the next line
            continue
        yield start, statement, parsed
        pending = []


def _paths(parsed: Mapping[str, Any], above: KeyPath = ()) -> Iterator[list[KeyPath]]:
    """For every leaf of nested tables: the paths from the outermost key down to the leaf."""
    for key, value in parsed.items():
        path = (*above, key)
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict) and inner:
            for trail in _paths(inner, path):
                yield [path, *trail]
        else:
            yield [path]


def _note_prefixes(lines: dict[KeyPath, int], path: KeyPath, number: int) -> None:
    for end in range(1, len(path)):
        lines.setdefault(path[:end], number)
    lines[path] = number
