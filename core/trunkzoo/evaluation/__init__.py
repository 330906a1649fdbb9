"""Rollouts: episodes that are a function of (checkpoint, seed), run by any number of worker processes."""

from trunkzoo.evaluation.job import Job, PolicyKind
from trunkzoo.evaluation.planning import Plan, plan
from trunkzoo.evaluation.rollouts import Evaluation, evaluate, run
from trunkzoo.evaluation.rows import Row, read_rows
from trunkzoo.seeds import REPORT_SEEDS, SELECTION_SEEDS

__all__ = [
    "REPORT_SEEDS",
    "SELECTION_SEEDS",
    "Evaluation",
    "Job",
    "Plan",
    "PolicyKind",
    "Row",
    "evaluate",
    "plan",
    "read_rows",
    "run",
]
