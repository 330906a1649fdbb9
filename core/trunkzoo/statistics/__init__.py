"""Statistics of scores: intervals, paired comparisons, and the smallest difference that so many episodes can show.

Scores of one arm form a matrix (training seeds, episode seeds); one training seed may be given as a vector. Two arms
that are compared share both: column j is the same episode seed in either matrix.
"""

from trunkzoo.statistics.comparison import Comparison, compare
from trunkzoo.statistics.intervals import Interval, bootstrap, newcombe_paired, wilson
from trunkzoo.statistics.measures import interquartile_mean, mean, median, probability_of_improvement
from trunkzoo.statistics.power import detectable_mean, detectable_rate
from trunkzoo.statistics.summary import Summary, summarize

__all__ = [
    "Comparison",
    "Interval",
    "Summary",
    "bootstrap",
    "compare",
    "detectable_mean",
    "detectable_rate",
    "interquartile_mean",
    "mean",
    "median",
    "newcombe_paired",
    "probability_of_improvement",
    "summarize",
    "wilson",
]
