"""Two evaluations on the same episodes, compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import UsageError
from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.named import contender
from trunkzoo.rollouts.plan import Plan, plan
from trunkzoo.rollouts.rows import differing
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Comparison, compare

CONDITIONS = ("task", "task_config", "success_rule", "max_steps", "noise_seed")


def plans_of(
    catalogue: Catalogue,
    texts: tuple[str, str],
    task: Part | None = None,
    max_steps: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Plan]:
    """Plans of the two that ``texts`` name: runs, checkpoints, exports or policies, the last with ``settings``.

    Without a ``task`` a policy acts in that of the other side's checkpoint.

    Raises:
        UsageError: both are the same, or settings were given and neither takes any.
    """
    sides = [contender(catalogue, text) for text in texts]
    named = [side.checkpoint is None for side in sides]
    if settings and not any(named):
        raise UsageError("settings are for policies that are no agents, and both of these are", ["settings"])
    sides = [
        contender(catalogue, text, settings if is_named else None) for text, is_named in zip(texts, named, strict=True)
    ]
    shared = next((side.checkpoint for side in sides if side.checkpoint), None)
    found = [plan(catalogue, side.policy, side.checkpoint or shared, task, max_steps) for side in sides]
    if found[0].job == found[1].job:
        raise UsageError("both are the same checkpoint or policy; give two different ones")
    return found


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
