"""Results as tables and charts, computed from the committed rows when the site is built."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tables import code, table
from trunkzoo.report.charts import IntervalBar, interval_chart, style
from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.rollouts.scores import summary_of

RESULTS = Path(__file__).parents[2] / "results"
FLOORS = ("noop", "random", "expert")
HEAD = """# Results in numbers

Computed from the rows under `results/` of the repository, one JSON line per episode, when this site was built. With one training seed
the interval of success is Wilson's and speaks of the agent that was trained; with several it allows for trainings and episodes, and
speaks of the recipe. [In words](words.md): what the suites were, which comparisons were made, and what cannot be concluded.

"""


def write() -> str:
    """A section for every folder of rows of episodes."""
    folders = sorted({path.parent for path in RESULTS.rglob("*.jsonl") if _is_episodes(path)})
    return HEAD + "".join(_section(folder) for folder in folders)


def _is_episodes(path: Path) -> bool:
    rows = read_rows(path)
    return bool(rows) and "average_reward" in rows[0]


def _section(folder: Path) -> str:
    found = [(path.stem, runs) for path in sorted(folder.glob("*.jsonl"), key=_order) if (runs := list(_runs(path)))]
    summaries = [(name, summary_of(*runs)) for name, runs in found]
    rows = [
        (
            code(name),
            str(each.training_seeds if name not in FLOORS else "–"),
            f"{each.successes}/{each.training_seeds * each.episodes} = {each.success.text()}",
            each.reward_mean.text(3),
        )
        for name, each in summaries
    ]
    bars = [
        IntervalBar(name, each.success, "floor" if name in FLOORS else style(index))
        for index, (name, each) in enumerate(summaries)
    ]
    columns = ("agent", "trainings", "success, 95 %", "average reward per step, 95 %")
    chart = interval_chart(bars, "success on fresh seeds", f"Success, {folder.name}")
    where = folder.relative_to(RESULTS).as_posix()
    return f'## {where}\n\n{table(columns, rows)}<div class="chart" style="max-width: 26rem">{chart}</div>\n\n'


def _order(path: Path) -> tuple[bool, str]:
    return path.stem in FLOORS, path.stem


def _runs(path: Path) -> Iterator[list[Row]]:
    """The report episodes of every training seed."""
    rows = [row for row in read_rows(path) if row.get("part", "report") == "report"]
    rows.sort(key=lambda row: (row.get("training_seed") or 0, row["seed"]))
    for _, group in groupby(rows, key=lambda row: row.get("training_seed")):
        yield list(group)
