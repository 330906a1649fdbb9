"""A self-contained page: sections of text, one table, and figures; no network, no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from trunkzoo.errors import printable_lines
from trunkzoo.system.files import write_text


@dataclass(frozen=True)
class TableRow:
    """One line of a table; floors are printed in grey."""

    cells: Sequence[str]
    floor: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text; the first cell of a row names it, and stays in sight when the others scroll."""

    columns: Sequence[str]
    rows: Sequence[TableRow]


@dataclass(frozen=True)
class Figure:
    """A picture with its caption: SVG text, or the address of an image or a film."""

    caption: str
    svg: str = ""
    image: str = ""
    video: str = ""
    poster: str = ""
    """What a film shows before it plays, and on paper."""
    shape: Literal["", "natural", "wide"] = ""
    """``natural`` keeps the picture's own size, ``wide`` takes the whole width of the page."""


@dataclass(frozen=True)
class Section:
    """A part of the page; ``level`` 3 is a part of the last section of level 2."""

    title: str = ""
    level: int = 2
    answer: str = ""
    """The main result in a sentence or two, printed above everything else of the section."""
    texts: Sequence[str] = ()
    legend: Sequence[tuple[str, str]] = ()
    figures: Sequence[Figure] = ()
    table: Table | None = None
    note: str = ""
    """A remark printed below the table."""
    words: Sequence[str] = ()
    """The comparisons in sentences, folded away at the end."""


def write_page(path: Path, title: str, summary: str, sections: Sequence[Section]) -> None:
    """Write the page.

    Raises:
        UsageError: the place cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("trunkzoo.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_visible,
    )
    text = environment.get_template("page.html").render(title=title, summary=summary, sections=sections)
    write_text(path, text)


def _visible(value: object) -> object:
    """Names come from files of anybody: signs that turn the direction of writing, say, are written out."""
    return printable_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def data_uri(kind: str, content: bytes) -> str:
    """A file as text for an address, such as of ``image/webp``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
