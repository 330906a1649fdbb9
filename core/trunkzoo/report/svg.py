"""Minimal plotting in SVG: a frame with axes, and marks in data coordinates. Colours are classes of the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from trunkzoo.errors import printable

PAD = 0.06  # of the data range, kept free at either end


@dataclass(frozen=True)
class Axis:
    """One axis: its label and the data range that it shows."""

    label: str
    low: float
    high: float

    def ticks(self, count: int = 5) -> list[float]:
        """Round numbers inside the range, about ``count`` of them."""
        span = self.high - self.low
        step = 10 ** math.floor(math.log10(span / count))
        step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def axis(label: str, values: Iterable[float], low: float | None = None, high: float | None = None) -> Axis:
    """An axis around ``values``; ``low`` and ``high`` pin its ends, except where a value lies beyond them."""
    pins = [end for end in (low, high) if end is not None]
    finite = [value for value in values if math.isfinite(value)] or pins or [0.0]
    bottom, top = min(finite), max(finite)
    pad = PAD * ((top - bottom) or 1.0)
    first = bottom - pad if low is None or bottom < low else low
    last = top + pad if high is None or top > high else high
    return Axis(label, first, last if last > first else first + 1.0)


@dataclass
class Plot:
    """A plot area with two axes; marks are added in data coordinates. 340 pixels are a phone's width: text stays legible."""

    x: Axis
    y: Axis
    title: str
    width: int = 340
    height: int = 240
    left: int = 40
    top: int = 28  # above it the label of the y axis, horizontal, where it is read first
    marks: list[str] = field(default_factory=list)

    @property
    def right(self) -> int:
        """Pixel column where the plot area ends."""
        return self.width - 14

    @property
    def bottom(self) -> int:
        """Pixel row where the plot area ends; below it the x axis."""
        return self.height - 40

    def px(self, x: float) -> float:
        """Pixel column of a data value."""
        return self.left + (x - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)

    def py(self, y: float) -> float:
        """Pixel row of a data value."""
        return self.bottom - (y - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """A polyline."""
        points = " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, ys, strict=True))
        self.marks.append(f'<polyline class="line {style}" points="{points}"/>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], style: str) -> None:
        """A filled band between two curves."""
        there = [f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, high, strict=True)]
        back = [f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, low, strict=True)]
        self.marks.append(f'<polygon class="band {style}" points="{" ".join([*there, *back[::-1]])}"/>')

    def dot(self, x: float, y: float, style: str, tip: str = "", radius: float = 4, shift: float = 0) -> None:
        """A dot, with a tooltip; ``shift`` moves it aside, in pixels."""
        title = f"<title>{escape(printable(tip))}</title>" if tip else ""
        place = f'cx="{self.px(x) + shift:.1f}" cy="{self.py(y):.1f}" r="{radius}"'
        self.marks.append(f'<circle class="{style}" {place}>{title}</circle>')

    def whisker(self, x: tuple[float, float], y: tuple[float, float], style: str, shift: float = 0) -> None:
        """A straight line from (x₀, y₀) to (x₁, y₁), such as an interval."""
        ends = f'x1="{self.px(x[0]) + shift:.1f}" x2="{self.px(x[1]) + shift:.1f}"'
        self.marks.append(f'<line class="{style}" {ends} y1="{self.py(y[0]):.1f}" y2="{self.py(y[1]):.1f}"/>')

    def text(self, column: float, row: float, text: str, anchor: str = "start", label: bool = False) -> None:
        """Words at a pixel; a ``label`` is printed in ink."""
        kind = ' class="label"' if label else ""
        self.marks.append(
            f'<text x="{column:.1f}" y="{row:.1f}" text-anchor="{anchor}"{kind}>{escape(printable(text))}</text>'
        )

    def veil(self, top: float, bottom: float) -> None:
        """Hide what is drawn so far between two pixel rows: words stand there."""
        size = f'width="{self.right - self.left + 4}" height="{bottom - top:.1f}"'
        self.marks.append(f'<rect class="veil" x="{self.left - 2}" y="{top:.1f}" {size}/>')

    def render(self, y_ticks: bool = True) -> str:
        """The whole picture: the grid and its numbers under the marks."""
        marks, self.marks = self.marks, []
        self._x_axis()
        if y_ticks:
            self._y_axis()
        size = f'viewBox="0 0 {self.width} {self.height}" style="max-width: {1.35 * self.width:.0f}px"'
        parts = [
            f'<svg {size} role="img"><title>{escape(printable(self.title))}</title>',
            *self.marks,
            *marks,
            "</svg>",
        ]
        self.marks = marks
        return "".join(parts)

    def _x_axis(self) -> None:
        for tick in self.x.ticks():
            self.whisker((tick, tick), (self.y.low, self.y.high), "grid")
            self.text(self.px(tick), self.bottom + 16, f"{tick:g}", "middle")
        self.text((self.left + self.right) / 2, self.height - 6, self.x.label, "middle", label=True)

    def _y_axis(self) -> None:
        for tick in self.y.ticks():
            self.whisker((self.x.low, self.x.high), (tick, tick), "grid")
            self.text(self.left - 6, self.py(tick) + 4, f"{tick:g}", "end")
        self.text(4, 14, self.y.label, label=True)
