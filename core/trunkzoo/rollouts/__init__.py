"""Episodes in simulators: policies evaluated and demonstrations recorded, in any number of processes, by seed alone."""

from trunkzoo.rollouts.evaluation import Evaluation, run
from trunkzoo.rollouts.job import Job
from trunkzoo.rollouts.plan import Plan, plan
from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.rollouts.seeds import REPORT_SEEDS, SELECTION_SEEDS

__all__ = [
    "REPORT_SEEDS",
    "SELECTION_SEEDS",
    "Evaluation",
    "Job",
    "Plan",
    "Row",
    "plan",
    "read_rows",
    "run",
]
