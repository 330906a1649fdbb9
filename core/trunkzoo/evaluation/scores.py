"""From rows to the matrices and summaries of :mod:`trunkzoo.statistics`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trunkzoo.errors import DataError
from trunkzoo.evaluation.rows import Row
from trunkzoo.statistics import Summary, summarise

Matrix = NDArray[np.float64]


def scores(runs: Sequence[Sequence[Row]], field: str) -> Matrix:
    """One ``field`` of the rows of several training seeds as (training seeds, episode seeds), columns by seed.

    Raises:
        DataError: the runs do not have the same episode seeds.
    """
    by_seed = [{int(row["seed"]): float(row[field]) for row in rows} for rows in runs]
    seeds = sorted(by_seed[0])
    for found in by_seed[1:]:
        if sorted(found) != seeds:
            raise DataError(f"training seeds were evaluated on different episodes: {len(seeds)} against {len(found)}")
    return np.array([[found[seed] for seed in seeds] for found in by_seed])


def summary_of(*runs: Sequence[Row]) -> Summary:
    """Summarise the rows of one arm, one sequence per training seed."""
    return summarise(scores(runs, "success"), scores(runs, "average_reward"))
