"""What commands print: results on stdout (a table, lines or JSON), everything else on stderr.

Names and messages come from files and plugins of anybody: what would steer a terminal is written out here, and only here.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

from trunkzoo.errors import printable, printable_lines

ItemT = TypeVar("ItemT")

OPTIONS = {
    "arms": "--arm",
    "cameras": "--camera",
    "detect": "--detect",
    "device": "--device",
    "engine": "--engine",
    "file": "-o",
    "fps": "--fps",
    "metrics": "--metric",
    "num_action_steps": "--num-action-steps",
    "only": "--only",
    "until": "--until",
    "output": "-o",
    "parallel": "--max-parallel",
    "registry": "-o",
    "resume": "--resume",
    "seeds": "--seeds",
    "settings": "--set",
    "shard": "--shard",
    "start": "--from",
    "start.parts": "--from-parts",
    "state": "--state",
    "stop_at": "--stop-at",
    "task": "--task",
    "track": "--track",
    "train.skip_nonfinite": "--skip-nonfinite",
    "train.steps": "--steps",
    "workers": "--workers",
}
"""Setting, as errors of the Python API name it → the option that sets it."""
PIPE_CLOSED = 141  # as the shell counts SIGPIPE
LONGEST_CELL = 2_000  # characters of a cell or a line; JSON has all of it


def emit_json(data: Any) -> None:
    """Print ``data`` as the one JSON document on stdout; signs that are not visible become ``\\u001b``."""
    text = json.dumps(data, indent=2, ensure_ascii=not _is_unicode(sys.stdout), default=str)
    _print("\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n")))


def _is_unicode(stream: TextIO) -> bool:
    return stream.encoding.lower().replace("-", "").startswith("utf")


def _escaped(line: str) -> str:
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in line)


def say(text: object = "", *, aside: bool = False) -> None:
    """One or more lines on stdout, or on stderr if they are ``aside`` the results."""
    if aside:
        print(printable_lines(str(text)), file=sys.stderr, flush=True)
    else:
        _print(printable_lines(str(text)))


def _print(text: str) -> None:
    try:
        print(text)
    except BrokenPipeError:  # Typer would make an exit code 1 of it
        raise SystemExit(PIPE_CLOSED) from None


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table: with rich in a terminal, as aligned plain text, never cut, in a pipe."""
    cells = [[printable(str(cell), LONGEST_CELL) for cell in row] for row in rows]
    title = printable_lines(title)
    if sys.stdout.isatty():
        _rich_table(columns, cells, title)
    else:
        _plain_table(columns, cells, title)


def counted(items: Iterable[ItemT], what: str) -> Iterator[ItemT]:
    """Pass ``items`` on, counting them on stderr while that is a terminal."""
    from trunkzoo.system.progress import progress

    with progress(what) as advance:
        for item in items:
            advance(1)
            yield item


def numbered(number: int, what: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {what}{'s' * (number != 1)}"


def write_page(what: str, path: Path, write: Callable[[], None]) -> None:
    """Write a page after its results were printed, which it must not take with it.

    Raises:
        ZooError: it cannot be written; one line that says so.
    """
    from trunkzoo.catalogue.guard import plugin_code

    with plugin_code(f"the results stand, but writing {what} {path}"):
        write()


def asked(question: str, default: str) -> str:
    """The answer of a person at a terminal; elsewhere the default."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return default
    import typer

    return str(typer.prompt(question, default=default, err=True)).strip()


def note(text: str) -> None:
    """One remark on stderr."""
    print(f"note: {printable_lines(text, LONGEST_CELL)}", file=sys.stderr)


def options_for(settings: Mapping[str, Sequence[str]]) -> str:
    """The options of an error's settings, with the values that it proposes: `` (--camera front=top)``; or nothing."""
    options = []
    for setting, values in settings.items():
        option = OPTIONS.get(setting, f"--set {setting}=…")
        options += [f"{option} {shlex.quote(value)}" for value in values] or [option]
    return f" ({' '.join(options)})" if options else ""


def option_of(*paths: tuple[str, ...]) -> str:
    """``--device: `` for the path of a setting that has an option; the nearest one above it, or nothing."""
    names = [".".join(path[:end]) for path in paths[-1:] for end in range(len(path), 0, -1)]
    return next((f"{OPTIONS[name]}: " for name in names if name in OPTIONS), "")


def fail(message: str, code: int) -> int:
    """Print an error on stderr and return the exit code."""
    print(f"zoo: {printable_lines(message, LONGEST_CELL)}", file=sys.stderr)
    return code


def _plain_table(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    if title:
        _print(title)
    for line in [columns, *cells]:
        _print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console  # here, because rich's tables cost a tenth of the start-up
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title) or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in cells:
        table.add_row(*(escape(text) for text in line))
    Console().print(table)
