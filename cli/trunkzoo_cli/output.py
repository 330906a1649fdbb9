"""What commands print: results on stdout (a table or JSON), everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

ItemT = TypeVar("ItemT")


def emit_json(data: Any) -> None:
    """Print ``data`` as the one JSON document on stdout."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table: with rich in a terminal, as aligned plain text, never cut, in a pipe."""
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, cells, title)
    else:
        _plain_table(columns, cells, title)


def progress(items: Iterable[ItemT], what: str) -> Iterator[ItemT]:
    """Pass ``items`` on, counting them on stderr while that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        for count, item in enumerate(items, 1):
            status.update(f"{what}: {count} done")
            yield item


def counted(number: int, what: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {what}{'s' * (number != 1)}"


def write_page(what: str, path: Path, write: Callable[[], None]) -> None:
    """Write a page after its results were printed, which it must not take with it.

    Raises:
        ZooError: it cannot be written; one line that says so.
    """
    from trunkzoo.catalogue.guard import foreign

    with foreign(f"the results stand, but writing {what} {path}"):
        write()


def note(text: str) -> None:
    """One remark on stderr."""
    print(f"note: {text}", file=sys.stderr)


def fail(message: str, code: int) -> int:
    """Print an error on stderr and return the exit code."""
    print(f"zoo: {message}", file=sys.stderr)
    return code


def _plain_table(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    if title:
        print(title)
    for line in [columns, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console  # here, because rich's tables cost a tenth of the start-up
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in cells:
        table.add_row(*(escape(text) for text in line))
    Console().print(table)
