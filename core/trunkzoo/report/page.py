"""A self-contained page: sections of text, one table, and figures; no network, no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from trunkzoo.errors import UsageError


@dataclass(frozen=True)
class Row:
    """One line of a table; floors are printed softly."""

    cells: Sequence[str]
    floor: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text."""

    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Figure:
    """A picture with its caption: SVG text, or the address of an image or a film."""

    caption: str
    svg: str = ""
    image: str = ""
    video: str = ""
    shape: Literal["", "natural", "wide"] = ""
    """``natural`` keeps the picture's own size, ``wide`` takes the whole width of the page."""


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str = ""
    verdicts: Sequence[str] = ()
    texts: Sequence[str] = ()
    table: Table | None = None
    legend: Sequence[tuple[str, str]] = ()
    figures: Sequence[Figure] = ()


def write_page(path: Path, title: str, summary: str, sections: Sequence[Section]) -> None:
    """Write the page.

    Raises:
        UsageError: the place cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("trunkzoo.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("page.html").render(title=title, summary=summary, sections=sections)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def film_uri(path: Path) -> str:
    """A film as text for a ``video`` element."""
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
