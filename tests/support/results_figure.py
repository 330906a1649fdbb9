"""The figure of RESULTS.md: the paired differences of the answer, training by training, as an SVG that stands alone.

``python tests/support/results_figure.py`` writes it from the committed rows.
"""

from statistics import fmean

from results_page import LEAD, ROOT, of_suite, rows
from trunkzoo.report.charts import IntervalBar, interval_chart, style

FIGURE = ROOT / "results" / "phase2-lift" / "differences.svg"
PAIRS = {"conv-18-uniform": "attention − uniform means", "resnet-18": "attention − ResNet-18"}
LABEL = "difference in success; rings: pairs of trainings"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="459" '
LOOK = (
    "text { font: 12px sans-serif; fill: #555; } text.label { fill: #111; } .grid { stroke: #ddd; } .veil { fill: #fff; }"
    " .reference { stroke: #555; stroke-dasharray: 4 3; } .whisker { stroke-width: 2.5; stroke-linecap: round; }"
    " .seed { fill: none; } .s0 { stroke: #1f6fb4; } .s1 { stroke: #c2571a; } .dot.s0 { fill: #1f6fb4; } .dot.s1 { fill: #c2571a; }"
)


def draw() -> str:
    """One line for each control: rings for the pairs of trainings, a dot and whiskers for their mean."""
    won = {
        arm: [fmean(row["success"] for row in run) for run in rows(LEAD, arm, "report")] for arm in ("conv-18", *PAIRS)
    }
    bars = [
        IntervalBar(
            name,
            of_suite(LEAD)["conv-18", control, "success"].widest,
            style(index),
            [ours - theirs for ours, theirs in zip(won["conv-18"], won[control], strict=True)],
        )
        for index, (control, name) in enumerate(PAIRS.items())
    ]
    chart = interval_chart(
        bars, LABEL, "Attention over depth against its control and against ResNet-18", difference=True
    )
    head, rest = chart.split("</title>", 1)
    paper = f'<style>{LOOK}</style><rect width="100%" height="100%" fill="#fff"/>'
    return f"{head.replace('<svg ', SVG, 1)}</title>{paper}{rest}\n"


if __name__ == "__main__":
    FIGURE.write_text(draw(), encoding="utf-8")
