"""Statistics of scores: intervals, paired comparisons, and the smallest difference that so many episodes can show.

Scores of one arm form a matrix (training seeds, episode seeds); one training seed may be given as a vector. Two arms
that are compared share both: column j is the same episode seed in either matrix.
"""

from trunkzoo.statistics.comparison import Comparison, Measure
from trunkzoo.statistics.intervals import Interval, bootstrap, newcombe_paired, wilson
from trunkzoo.statistics.measures import interquartile_mean, mean, median, probability_of_improvement
from trunkzoo.statistics.paired import adjust, compare, compare_arms
from trunkzoo.statistics.power import Spread, detectable, detectable_mean, detectable_rate, trainings_needed
from trunkzoo.statistics.summary import Summary, summarize
from trunkzoo.statistics.variance import Components, components, dunnett, holm, pool

__all__ = [
    "Comparison",
    "Components",
    "Interval",
    "Measure",
    "Spread",
    "Summary",
    "adjust",
    "bootstrap",
    "compare",
    "compare_arms",
    "components",
    "detectable",
    "detectable_mean",
    "detectable_rate",
    "dunnett",
    "holm",
    "interquartile_mean",
    "mean",
    "median",
    "newcombe_paired",
    "pool",
    "probability_of_improvement",
    "summarize",
    "trainings_needed",
    "wilson",
]
