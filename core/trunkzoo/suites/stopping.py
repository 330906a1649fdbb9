"""A suite that ends when its comparisons are decided or futile, and what it may say then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from trunkzoo.errors import UsageError, ZooError
from trunkzoo.plain import parse_table
from trunkzoo.rollouts.rows import read_rows
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Interval, Measure
from trunkzoo.statistics.intervals import Matrix
from trunkzoo.statistics.sequential import FIRST, limits, look, looks
from trunkzoo.suites.cells import write_json
from trunkzoo.suites.comparing import MEASURES, pairs_of
from trunkzoo.suites.engine import Engine
from trunkzoo.suites.layout import LOOKS, report_rows
from trunkzoo.suites.outlook import check_detect
from trunkzoo.suites.plan import SuitePlan, TaskPlan
from trunkzoo.suites.run import run_suite

Until = Literal["decided", "futile"]


@dataclass(frozen=True)
class Seen:
    """One comparison at the last look."""

    task: str
    a: str
    b: str
    difference: Interval
    """a − b with limits that hold at all looks and for all comparisons together, 95 %."""
    state: str
    """``decided``, ``futile`` or ``open``."""
    chance: float
    """Chance of a finding at the last training if the true difference is the one that was looked for."""

    def text(self) -> str:
        """``a against b -0.20 [-0.35, -0.05], decided``."""
        return f"{self.a} against {self.b} {self.difference.text(signed=True)}, {self.state}"


@dataclass(frozen=True)
class Stop:
    """Where a suite that looked after every training seed ended."""

    until: Until
    measure: Measure
    detect: float
    trainings: int
    of: int
    seen: tuple[Seen, ...]

    @property
    def ends(self) -> bool:
        """Whether the rule is met: every comparison decided, or every one decided or futile."""
        enough = {"decided"} if self.until == "decided" else {"decided", "futile"}
        return all(each.state in enough for each in self.seen)

    def sentence(self, task: str) -> str:
        """What holds on one task though it was looked at after every training seed."""
        said = "; ".join(each.text() for each in self.seen if each.task == task)
        when = "after each from the third" if self.of > FIRST else "once"
        return (
            f"After {self.trainings} of {self.of} training seeds, looked at {when}, in {self.measure}: "
            f"{said}. These intervals hold at all looks and for all comparisons together (95 %); other intervals are "
            "as if this number of trainings had been stated before."
        )


def run_until(
    plan: SuitePlan,
    engine: Engine,
    say: Callable[[str], None] | None,
    until: Until,
    measure: Measure,
    detect: float,
) -> Stop:
    """Run a suite training seed by training seed and look at its comparisons from the third on; see :func:`run_suite`.

    Raises:
        UsageError: there is nothing to compare, too few training seeds to stop before the last, or no such difference.
    """
    check_detect(detect)
    total, count = len(plan.config.training_seeds), sum(len(_pairs(task)) for task in plan.tasks)
    if not count or total < 2:
        raise UsageError(
            f"to end early a suite needs two arms and two training seeds, better six; {plan.name} has {count} comparisons "
            f"and {total} training seeds",
            ["until"],
        )
    critical = limits(total, 0.05 / count)
    for n in looks(total):
        part = plan.first(n)
        run_suite(part, engine, say)
        seen = tuple(each for task in part.tasks for each in _look(task, critical, measure, detect))
        stop = Stop(until, measure, detect, n, total, seen)
        write_json(plan.directory / LOOKS, asdict(stop))
        if say:
            say(f"look after {n} of {total} training seeds: {'; '.join(each.text() for each in seen)}")
        if stop.ends:
            break
    return stop


def read_stop(directory: Path) -> Stop | None:
    """Where the suite in ``directory`` ended early; None if it was not run so."""
    path = directory / LOOKS
    if not path.is_file():
        return None
    try:
        facts = parse_table(path.read_bytes())
        seen = tuple(Seen(**{**each, "difference": Interval(*each["difference"])}) for each in facts.pop("seen"))
        return Stop(seen=seen, **facts)
    except (ValueError, TypeError, KeyError):
        raise ZooError(f"{path} is damaged; remove it, and the suite counts as run to its end") from None


def forget_stop(directory: Path) -> None:
    """A suite that is run to its end as stated needs no looks."""
    (directory / LOOKS).unlink(missing_ok=True)


def _pairs(task: TaskPlan) -> Sequence[tuple[str, str]]:
    return pairs_of({arm.label: arm.control for arm in task.arms if not arm.baseline})


def _look(task: TaskPlan, critical: dict[int, float], measure: Measure, detect: float) -> list[Seen]:
    field, found = dict(MEASURES)[measure], dict[str, Matrix]()
    for arm in task.arms:
        if not arm.baseline:
            found[arm.label] = scores([read_rows(report_rows(c.directory, "agent")) for c in arm.evaluations], field)
    seen = []
    for a, b in _pairs(task):
        one = look(found[a], found[b], critical, measure == "success", detect)
        seen.append(Seen(task.name, a, b, one.difference, one.state, one.chance))
    return seen
