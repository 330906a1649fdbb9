"""Held-out action error of two arms, training by training: it sees differences that episodes are too few for."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from trunkzoo.statistics import Interval
from trunkzoo.statistics.intervals import student
from trunkzoo.suites.plan import ArmPlan
from trunkzoo.suites.results import TaskResult

DIGITS = 4
FEWEST_TRAININGS = 3


class ErrorDifference(NamedTuple):
    """How much larger the action error of arm ``a`` is than that of ``b`` on the same held-out demonstrations."""

    a: str
    b: str
    trainings: int
    error_a: float
    error_b: float
    difference: Interval
    """Mean over the pairs of trainings of one seed, with Student's 95 % interval; in half ranges of an action."""

    def sentence(self) -> str:
        """Its numbers in plain words."""
        values = f"{self.a} {self.error_a:.{DIGITS}f}, {self.b} {self.error_b:.{DIGITS}f}"
        of = f"{self.difference.text(DIGITS, signed=True)} over {self.trainings} paired trainings"
        return f"Action error on held-out demonstrations (less is better): {values}, difference {of}."

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; the difference as ``[value, low, high]``."""
        return {**self._asdict(), "difference": self.difference.limits(), "sentence": self.sentence()}


def compare_errors(a: str, errors_a: Sequence[float], b: str, errors_b: Sequence[float]) -> ErrorDifference:
    """The difference of two arms, whose errors are in the order of the training seeds."""
    differences = [left - right for left, right in zip(errors_a, errors_b, strict=True)]
    return ErrorDifference(a, b, len(differences), fmean(errors_a), fmean(errors_b), student(differences))


def error_differences(result: TaskResult) -> tuple[ErrorDifference, ...]:
    """One for each pair of arms that the task compares and that predict equally far: a later action is harder to tell.

    None below three trainings, where one has no error, or where both are judged by the same trainings.
    """
    known = [arm for arm in result.arms if len(arm.holdout_errors) == len(arm.curves) >= FEWEST_TRAININGS]
    errors = {arm.plan.label: arm.holdout_errors for arm in known}
    plans = {arm.plan.label: arm.plan for arm in known}
    pairs = dict.fromkeys((c.a, c.b) for c in result.comparisons if c.a in errors and c.b in errors)
    return tuple(compare_errors(a, errors[a], b, errors[b]) for a, b in pairs if _comparable(plans[a], plans[b]))


def _comparable(a: ArmPlan, b: ArmPlan) -> bool:
    equally_far = a.recipe.contract.pred_horizon == b.recipe.contract.pred_horizon
    return equally_far and a.trains != b.trains
