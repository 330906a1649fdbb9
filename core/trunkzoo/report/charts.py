"""The charts of a report, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from trunkzoo.report.svg import Plot, axis
from trunkzoo.statistics import Interval

LINE_HEIGHT = 34  # of an interval chart, pixels
LONGEST_NAME = 24  # in an interval chart, letters; its number stands on the same line
DOT_DISTANCE = 9  # of dots of equal cost, pixels
COLOURS = 8
FLOOR_STYLE = "floor"


class IntervalBar(NamedTuple):
    """One line of an interval chart; ``seeds`` are the values of the single training seeds, if there are several."""

    label: str
    interval: Interval
    style: str
    seeds: Sequence[float] = ()


class Curve(NamedTuple):
    """Values over training steps, perhaps with a band."""

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    style: str
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


class Point(NamedTuple):
    """One arm of a scatter plot: its cost, and its score with the interval."""

    label: str
    x: float
    interval: Interval
    style: str


def style(index: int) -> str:
    """CSS classes of arm number ``index``: eight colours, then ``again`` in dashes and rings."""
    return f"s{index % COLOURS}" + (" again" if index >= COLOURS else "")


def interval_chart(bars: Sequence[IntervalBar], label: str, title: str, difference: bool = False) -> str:
    """One line per bar: its name and number, below them a dot between the limits; a ``difference`` shows zero."""
    ends = [x for bar in bars for x in (*bar.interval, *bar.seeds)] + [0.0]
    height = 48 + LINE_HEIGHT * len(bars)
    x = axis(label, ends, low=0.0)
    plot = Plot(x, axis("", [], 0.0, len(bars)), title, height=height, left=12, top=4)
    if difference:
        plot.whisker((0, 0), (0, len(bars)), "reference")
    for index, bar in enumerate(bars):
        y, top = len(bars) - index - 0.74, plot.py(len(bars) - index)
        plot.veil(top, top + 17)
        plot.text(plot.left, top + 13, short(bar.label), label=bar.style != FLOOR_STYLE)
        digits = bar.interval.digits if difference else 2
        plot.text(plot.right, top + 13, bar.interval.text(digits, signed=difference), "end")
        if math.isfinite(bar.interval.low):
            plot.whisker((bar.interval.low, bar.interval.high), (y, y), f"whisker {bar.style}")
        for value in bar.seeds:
            plot.dot(value, y, f"seed {bar.style}", f"{bar.label}, one training seed: {value:.3f}", radius=5.5)
        plot.dot(bar.interval.value, y, f"dot {bar.style}", f"{bar.label}: {bar.interval.text(3)}", radius=5)
    return plot.render(y_ticks=False)


def short(name: str) -> str:
    """A name with its middle left out if it is long: variants differ at the end, families at the start."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2 - 1]}…{name[-LONGEST_NAME // 2 :]}"


def line_chart(
    curves: Sequence[Curve], y_label: str, title: str, zero: bool = True, reference: float | None = None
) -> str:
    """Curves over training steps, with their bands; ``reference`` is a level to compare with."""
    values = [value for curve in curves for value in (*curve.values, *(curve.low or ()), *(curve.high or ()))]
    values += [] if reference is None else [reference]
    steps = [step for curve in curves for step in curve.steps]
    y = axis(y_label, values, low=min(0.0, *values) if zero else None)
    plot = Plot(axis("training step", steps, low=0.0), y, title)
    if reference is not None:
        plot.whisker((0, plot.x.high), (reference, reference), "reference")
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            plot.band(curve.steps, curve.low, curve.high, curve.style)
    for curve in curves:
        plot.line(curve.steps, curve.values, curve.style)
        if len(curve.steps) <= 20:
            for step, value in zip(curve.steps, curve.values, strict=True):
                plot.dot(step, value, f"dot {curve.style}", f"{curve.label}, step {step:g}: {value:.3f}", radius=3.5)
    return plot.render()


def scatter(points: Sequence[Point], x_label: str, y_label: str, title: str) -> str:
    """Cost against score, with the interval of the score; arms of equal cost stand side by side around it."""
    ends = [value for point in points for value in point.interval]
    plot = Plot(axis(x_label, [], 0.0, 1.2 * max(p.x for p in points)), axis(y_label, ends, 0.0), title)
    columns = [round(plot.px(point.x) / DOT_DISTANCE) for point in points]
    for index, (point, column) in enumerate(zip(points, columns, strict=True)):
        shift = DOT_DISTANCE * (columns[:index].count(column) - (columns.count(column) - 1) / 2)
        if math.isfinite(point.interval.low):
            limits = (point.interval.low, point.interval.high)
            plot.whisker((point.x, point.x), limits, f"whisker {point.style}", shift)
        tip = f"{point.label}: {point.x:.3g}, {point.interval.text(3)}"
        plot.dot(point.x, point.interval.value, f"dot {point.style}", tip, radius=5, shift=shift)
    return plot.render()


def paired(a: Sequence[float], b: Sequence[float], labels: tuple[str, str], styles: tuple[str, str], title: str) -> str:
    """One dot per episode seed in the style of the arm that did better: above the diagonal the second."""
    x, y = (axis(f"{short(label)} (average reward)", [*a, *b]) for label in labels)
    plot = Plot(x, y, title, height=360)
    plot.whisker((x.low, x.high), (y.low, y.high), "reference")
    for left, right in zip(a, b, strict=True):
        plot.dot(left, right, f"dot {styles[right > left]}", f"{left:.3f} against {right:.3f}")
    return plot.render()


def strip(values: Sequence[float], marked: Sequence[bool]) -> str:
    """One dot per episode, in their order; marked ones filled."""
    x = axis("episode, in the order of the seeds", [0, len(values) - 1])
    plot = Plot(x, axis("average reward", values, low=0.0), "Every episode")
    for index, (value, mark) in enumerate(zip(values, marked, strict=True)):
        plot.dot(index, value, "dot s0" if mark else "dot again s1", f"episode {index}: {value:.3f}")
    return plot.render()
