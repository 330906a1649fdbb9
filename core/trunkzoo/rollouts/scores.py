"""Score matrices and summaries of result rows, as :mod:`trunkzoo.statistics` takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trunkzoo.errors import DataError
from trunkzoo.rollouts.rows import Row
from trunkzoo.statistics import Summary, summarize
from trunkzoo.statistics.intervals import Matrix


def scores(runs: Sequence[Sequence[Row]], field: str) -> Matrix:
    """One ``field`` of the rows of several training seeds as (training seeds, episode seeds), columns by seed.

    Raises:
        DataError: the runs do not have the same episode seeds, or a score is no finite number.
    """
    by_seed = [{int(row["seed"]): _number(row, field) for row in rows} for rows in runs]
    everywhere = set(by_seed[0]).intersection(*by_seed)
    missing = sorted(set(by_seed[0]).union(*by_seed) - everywhere)
    if missing:
        raise DataError(f"{_names(missing)} of some training seeds are missing in others: only pairs are compared")
    strange = sorted({seed for found in by_seed for seed, score in found.items() if not math.isfinite(score)})
    if strange:
        raise DataError(f"{field} of {_names(strange)} is no finite number; run these episodes again")
    return np.array([[found[seed] for seed in sorted(everywhere)] for found in by_seed])


def _number(row: Row, field: str) -> float:
    value = row.get(field)
    return float(value) if isinstance(value, int | float) else math.nan


def _names(seeds: Sequence[int]) -> str:
    return f"seeds {', '.join(map(str, seeds[:5]))}{', …' if len(seeds) > 5 else ''}"


def summary_of(*runs: Sequence[Row]) -> Summary:
    """Summarise the rows of one arm, one sequence per training seed."""
    return summarize(scores(runs, "success"), scores(runs, "average_reward"))
