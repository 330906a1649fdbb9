"""Two evaluations on the same episodes, compared."""

from __future__ import annotations

from trunkzoo.errors import UsageError
from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.rows import differing
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Comparison, compare

CONDITIONS = ("task", "task_config", "success_rule", "max_steps", "noise_seed")


def require_equal_conditions(a: Evaluation, b: Evaluation) -> None:
    """Refuse two plans whose episodes are not the same ones.

    Raises:
        UsageError: task, its settings, step cap or noise differ; the message shows both sides.
    """
    mine, other = a.plan.provenance, b.plan.provenance
    for key in CONDITIONS:
        if mine[key] != other[key]:
            one, two = differing(mine[key], other[key])
            raise UsageError(f"{key} differs, {one} ≠ {two}: only agents on the same episodes are compared", ["task"])


def comparisons(labels: tuple[str, str], a: Evaluation, b: Evaluation) -> tuple[Comparison, Comparison]:
    """``a`` against ``b`` in success and in average reward, paired by episode seed."""
    (name_a, name_b), runs = labels, (a.ordered, b.ordered)
    success, reward = ([scores([rows], field) for rows in runs] for field in ("success", "average_reward"))
    return (
        compare(name_a, success[0], name_b, success[1], "success"),
        compare(name_a, reward[0], name_b, reward[1], "average reward"),
    )
