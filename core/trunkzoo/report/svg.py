"""A few words of SVG: a frame with axes, and marks in its data coordinates. Colours are classes of the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

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
    """An axis around ``values``; ``low`` and ``high`` pin its ends."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    bottom, top = min(finite), max(finite)
    pad = PAD * ((top - bottom) or 1.0)
    return Axis(label, bottom - pad if low is None else low, top + pad if high is None else high)


@dataclass
class Figure:
    """A plot area with two axes; marks are added in data coordinates."""

    x: Axis
    y: Axis
    title: str
    width: int = 420
    height: int = 260
    left: int = 52
    marks: list[str] = field(default_factory=list)

    def px(self, x: float) -> float:
        """Pixel column of a data value."""
        right = self.width - 14
        return self.left + (x - self.x.low) / (self.x.high - self.x.low) * (right - self.left)

    def py(self, y: float) -> float:
        """Pixel row of a data value."""
        top, bottom = 14, self.height - 40
        return bottom - (y - self.y.low) / (self.y.high - self.y.low) * (bottom - top)

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """A polyline."""
        points = " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, ys, strict=True))
        self.marks.append(f'<polyline class="line {style}" points="{points}"/>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], style: str) -> None:
        """A filled band between two curves."""
        there = [f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, high, strict=True)]
        back = [f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, low, strict=True)]
        self.marks.append(f'<polygon class="band {style}" points="{" ".join([*there, *back[::-1]])}"/>')

    def dot(self, x: float, y: float, style: str, tip: str = "", radius: float = 4) -> None:
        """A dot, with a tooltip."""
        title = f"<title>{escape(tip)}</title>" if tip else ""
        place = f'cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius}"'
        self.marks.append(f'<circle class="dot {style}" {place}>{title}</circle>')

    def whisker(self, x: tuple[float, float], y: tuple[float, float], style: str) -> None:
        """A straight line from (x₀, y₀) to (x₁, y₁), such as an interval."""
        ends = f'x1="{self.px(x[0]):.1f}" x2="{self.px(x[1]):.1f}" y1="{self.py(y[0]):.1f}" y2="{self.py(y[1]):.1f}"'
        self.marks.append(f'<line class="whisker {style}" {ends}/>')

    def text(self, x: float, y: float, text: str, anchor: str = "start", shift: float = 0) -> None:
        """Words at a place in the data."""
        place = f'x="{self.px(x) + shift:.1f}" y="{self.py(y) + 4:.1f}" text-anchor="{anchor}"'
        self.marks.append(f"<text {place}>{escape(text)}</text>")

    def render(self, y_ticks: bool = True) -> str:
        """The whole picture."""
        parts = [
            f'<svg viewBox="0 0 {self.width} {self.height}" style="max-width: {1.4 * self.width:.0f}px" role="img">',
            f"<title>{escape(self.title)}</title>",
            *self._x_axis(),
            *(self._y_axis() if y_ticks else []),
            *self.marks,
            "</svg>",
        ]
        return "".join(parts)

    def _x_axis(self) -> list[str]:
        bottom, middle = self.height - 40, (self.left + self.width - 14) / 2
        ticks = [
            f'<line class="grid" x1="{self.px(t):.1f}" x2="{self.px(t):.1f}" y1="14" y2="{bottom}"/>'
            f'<text x="{self.px(t):.1f}" y="{bottom + 16}" text-anchor="middle">{t:g}</text>'
            for t in self.x.ticks()
        ]
        label = f'<text x="{middle:.0f}" y="{self.height - 6}" text-anchor="middle" class="label">'
        return [*ticks, f"{label}{escape(self.x.label)}</text>"]

    def _y_axis(self) -> list[str]:
        ticks = [
            f'<line class="grid" x1="{self.left}" x2="{self.width - 14}" y1="{self.py(t):.1f}" y2="{self.py(t):.1f}"/>'
            f'<text x="{self.left - 6}" y="{self.py(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
            for t in self.y.ticks()
        ]
        middle = (self.height - 26) / 2
        label = f'<text transform="translate(14,{middle:.0f}) rotate(-90)" text-anchor="middle" class="label">'
        return [*ticks, f"{label}{escape(self.y.label)}</text>"]
