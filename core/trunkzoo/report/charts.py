"""The charts of a report, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from trunkzoo.report.svg import Figure, axis
from trunkzoo.statistics import Interval

ROW = 22  # height of one line of an interval chart, pixels
FLOOR_STYLE = "floor"


class Bar(NamedTuple):
    """One line of an interval chart."""

    label: str
    interval: Interval
    style: str


class Curve(NamedTuple):
    """Values over training steps; ``low`` and ``high`` are the band over training seeds, if there are several."""

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    style: str
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


class Point(NamedTuple):
    """One arm in a plane."""

    label: str
    x: float
    interval: Interval
    style: str


def style(index: int) -> str:
    """CSS class of arm number ``index``; there are eight colours."""
    return f"s{index % 8}"


def interval_chart(bars: Sequence[Bar], label: str, title: str) -> str:
    """One line per bar: a dot between the limits of its interval; floors and the ceiling in grey."""
    ends = [x for bar in bars for x in bar.interval]
    figure = Figure(
        axis(label, ends, low=min(0.0, *(e for e in ends if math.isfinite(e)))),
        axis("", [-0.6, len(bars) - 0.4], -0.6, len(bars) - 0.4),
        title,
        width=440,
        height=54 + ROW * len(bars),
        left=170,
    )
    for index, bar in enumerate(bars):
        row = len(bars) - 1 - index
        if math.isfinite(bar.interval.low):
            figure.whisker((bar.interval.low, bar.interval.high), (row, row), bar.style)
        figure.dot(bar.interval.value, row, bar.style, f"{bar.label}: {bar.interval.text(3)}")
        figure.text(figure.x.low, row, bar.label, anchor="end", shift=-8)
    return figure.render(y_ticks=False)


def line_chart(curves: Sequence[Curve], y_label: str, title: str, zero: bool = True) -> str:
    """Curves over training steps, with bands where there are several training seeds."""
    values = [value for curve in curves for value in (*curve.values, *(curve.low or ()), *(curve.high or ()))]
    steps = [step for curve in curves for step in curve.steps]
    figure = Figure(axis("training step", steps), axis(y_label, values, low=min(0.0, *values) if zero else None), title)
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            figure.band(curve.steps, curve.low, curve.high, curve.style)
        figure.line(curve.steps, curve.values, curve.style)
        if len(curve.steps) <= 20:
            for step, value in zip(curve.steps, curve.values, strict=True):
                figure.dot(step, value, curve.style, f"{curve.label}, step {step:g}: {value:.3f}", radius=3)
    return figure.render()


def scatter(points: Sequence[Point], x_label: str, y_label: str, title: str) -> str:
    """Cost against score, with the interval of the score."""
    ends = [value for point in points for value in point.interval]
    figure = Figure(axis(x_label, [p.x for p in points], low=0.0), axis(y_label, ends, low=0.0), title)
    for point in points:
        if math.isfinite(point.interval.low):
            figure.whisker((point.x, point.x), (point.interval.low, point.interval.high), point.style)
        figure.dot(
            point.x, point.interval.value, point.style, f"{point.label}: {point.x:.3g}, {point.interval.text(3)}", 5
        )
    return figure.render()


def paired(a: Sequence[float], b: Sequence[float], label_a: str, label_b: str, title: str) -> str:
    """One dot per episode seed: above the diagonal the second arm did better."""
    both = [*a, *b]
    figure = Figure(axis(label_a, both), axis(label_b, both), title, width=320, height=320)
    low, high = figure.x.low, figure.x.high
    figure.whisker((low, high), (low, high), "diagonal")
    for x, y in zip(a, b, strict=True):
        figure.dot(x, y, style(1 if y > x else 0), f"{x:.3f} against {y:.3f}")
    return figure.render()


def strip(values: Sequence[float], marked: Sequence[bool]) -> str:
    """One dot per episode, in their order; marked ones in green."""
    figure = Figure(axis("episode", [0, len(values) - 1]), axis("average reward", values, low=0.0), "Every episode")
    for index, (value, mark) in enumerate(zip(values, marked, strict=True)):
        figure.dot(index, value, style(2 if mark else 1), f"episode {index}: {value:.3f}")
    return figure.render()
