"""Training curves of several runs side by side, as a page or a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trunkzoo.errors import UsageError
from trunkzoo.report.charts import Curve, line_chart, style
from trunkzoo.report.page import Figure, Section, write_page
from trunkzoo.system.files import new_file, readable_os_errors
from trunkzoo.training.metrics import WALL_CLOCK, read_metrics

FIRST = ("loss", "holdout_error", "grad_norm", "lr")
"""Metrics that are drawn first, where runs have them."""
LEGEND_LETTERS = 50
"""Letters of a legend that fit below one column of charts."""
_LEFT_OUT = {"step", "skipped", *WALL_CLOCK}
Curves = dict[str, dict[str, list[tuple[int, float]]]]
"""Metric → run → its (step, value)."""


def curves_of(runs: Sequence[Path], metrics: Sequence[str] = ()) -> Curves:
    """What the runs logged, by metric; those named, or all.

    Raises:
        UsageError: a path is no run, two have one name, nothing was logged, or nobody logged a metric that is named.
    """
    names = labels_of(runs)
    found: Curves = {}
    for name, run in zip(names, runs, strict=True):
        rows = read_metrics(run)
        if not rows:
            raise UsageError(f"{run} has no metrics; give run directories, `zoo runs` lists them")
        for row in rows:
            for key, value in row.items():
                if key not in _LEFT_OUT and isinstance(value, int | float):
                    found.setdefault(key, {}).setdefault(name, []).append((int(row["step"]), float(value)))
    if unknown := [metric for metric in metrics if metric not in found]:
        raise UsageError(f"no run logged {', '.join(unknown)}; logged are {', '.join(found)}", ["metrics"])
    order = metrics or [*(key for key in FIRST if key in found), *sorted(found.keys() - set(FIRST))]
    return {key: found[key] for key in order}


def labels_of(runs: Sequence[Path]) -> list[str]:
    """What the runs are called: the shortest ends of their paths that differ.

    Raises:
        UsageError: a run is given twice.
    """
    paths = [run.resolve().parts for run in runs]
    if len(set(paths)) < len(paths):
        raise UsageError("a run is given twice; name each once")
    length = 1
    while len({path[-length:] for path in paths}) < len(paths):
        length += 1
    return ["/".join(path[-length:]) for path in paths]


def write_curves(runs: Sequence[Path], file: Path, metrics: Sequence[str] = ()) -> list[str]:
    """Draw the curves into ``file``, whose suffix says how: .html or .png; returns the metrics that are drawn.

    Raises:
        UsageError: as :func:`curves_of`, another suffix, or the place cannot be written.
    """
    if file.suffix not in (".html", ".png"):
        raise UsageError(f"{file}: write curves to a .html or .png file", ["output"])
    curves = curves_of(runs, metrics)
    if file.suffix == ".html":
        legend = [(style(i), name) for i, name in enumerate(labels_of(runs))]
        section = Section("Over training", legend=legend, figures=list(_figures(curves, labels_of(runs))))
        write_page(file, "Training curves", ", ".join(map(str, runs)), [section])
    else:
        _write_picture(curves, labels_of(runs), file)
    return list(curves)


def _figures(curves: Curves, names: Sequence[str]) -> Iterator[Figure]:
    for metric, of_runs in curves.items():
        drawn = [
            Curve(name, *_columns(of_runs[name]), style(i))
            for i, name in enumerate(names)
            if len(of_runs.get(name, ())) > 1
        ]
        if drawn:
            yield Figure(f"{metric} at every logged step.", line_chart(drawn, metric, metric, zero=False))


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def _write_picture(
    curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]], names: Sequence[str], file: Path
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    columns = min(2, len(curves))
    lines = -(-len(curves) // columns)
    canvas = Canvas(figsize=(5.5 * columns, 3.4 * lines), layout="constrained")
    FigureCanvasAgg(canvas)
    for place, (metric, of_runs) in enumerate(curves.items(), 1):
        axes = canvas.add_subplot(lines, columns, place, title=metric, xlabel="step")
        for i, name in enumerate(names):
            if name in of_runs:
                axes.plot(*_columns(of_runs[name]), color=f"C{i}", label=name, linewidth=1.3)
    across = max(1, LEGEND_LETTERS * columns // max(len(name) for name in names))
    canvas.legend(*canvas.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=across)
    with readable_os_errors(file), new_file(file) as temporary:
        canvas.savefig(temporary, format="png", dpi=110)
