"""How many trainings and episodes a suite needs to find a stated difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trunkzoo.errors import UsageError
from trunkzoo.rollouts.rows import Row, read_rows
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics import Measure, Spread, components, detectable, trainings_needed
from trunkzoo.suites.comparing import MEASURES
from trunkzoo.suites.layout import report_rows
from trunkzoo.suites.plan import SuitePlan, TaskPlan
from trunkzoo.suites.published import runs_of

EPISODES = (20, 40, 60, 100, 200)
SEEN: dict[Measure, Spread] = {"success": Spread(0.095, 0.51), "average reward": Spread(0.05, 0.21)}
"""What moved the difference of two arms of phase2-cpu: three trainings of five arms, 60 episodes."""


@dataclass(frozen=True)
class Outlook:
    """What one task of a suite can find."""

    task: str
    measure: Measure
    detect: float
    spread: Spread
    source: str
    """Where the spread is from."""
    arms: int
    needed: dict[int, tuple[int | None, int | None]]
    """By episodes the trainings that find ``detect``: from two arms alone, and with the trainings of all arms."""
    own: tuple[int, int, float]
    """Trainings and episodes that the suite states, and what they would find with the trainings of all arms."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        needed = [{"episodes": n, "alone": a, "all_arms": b} for n, (a, b) in self.needed.items()]
        trainings, episodes, found = self.own
        suite = {"trainings": trainings, "episodes": episodes, "detectable": found if np.isfinite(found) else None}
        facts = {"task": self.task, "measure": self.measure, "detect": self.detect, "source": self.source}
        return {**facts, "spread": self.spread._asdict(), "arms": self.arms, "needed": needed, "suite": suite}

    def sentence(self) -> str:
        """What the suite as it stands would find."""
        trainings, episodes, found = self.own
        what = f"{self.task}, {self.measure}: training {self.spread.training:.3g}, episode {self.spread.episode:.3g}"
        stated = f"{trainings} trainings × {episodes} episodes, as the suite states,"
        would = f"find {found:.2g} four times in five" if np.isfinite(found) else "speak of agents, not of trunks"
        return f"{what} ({self.source}). {stated} {would}."


def outlook(
    plan: SuitePlan,
    measure: Measure,
    detect: float,
    spread: tuple[float, float] | None = None,
    published: Path | None = None,
) -> list[Outlook]:
    """What each task needs, by the standard deviations of a difference over trainings and over episodes.

    They are the stated ones, else those of published rows, else of this suite's finished cells, else of phase2-cpu.

    Raises:
        UsageError: the difference is not positive, or the published rows have no two arms with two trainings.
    """
    check_detect(detect)
    return [
        _of_task(plan, task, measure, detect, *_source(plan, task, measure, spread and Spread(*spread), published))
        for task in plan.tasks
    ]


def check_detect(detect: float) -> None:
    """Refuse a difference of two scores that cannot be found.

    Raises:
        UsageError: it does not lie between 0 and 1.
    """
    if not 0 < detect < 1:
        raise UsageError(f"difference {detect:g}: one to find lies between 0 and 1, for example 0.1", ["detect"])


def _of_task(plan: SuitePlan, task: TaskPlan, measure: Measure, detect: float, spread: Spread, source: str) -> Outlook:
    arms = max(2, sum(not arm.baseline for arm in task.arms))
    needed = {n: (trainings_needed(detect, spread, n), trainings_needed(detect, spread, n, arms)) for n in EPISODES}
    trainings, episodes = len(plan.config.training_seeds), plan.config.report_episodes
    freedom = (arms - 1) * (trainings - 1)
    found = detectable(spread.error(trainings, episodes), freedom) if freedom else float("inf")
    return Outlook(task.name, measure, detect, spread, source, arms, needed, (trainings, episodes, found))


def _source(
    plan: SuitePlan, task: TaskPlan, measure: Measure, spread: Spread | None, published: Path | None
) -> tuple[Spread, str]:
    if spread is not None:
        return spread, "as stated"
    if published is not None:
        runs, arms = runs_of(published, task.name), {arm.label for arm in task.arms if not arm.baseline}
        same = {label: of for label, of in runs.items() if label in arms}
        found = _spread(same if len(same) > 1 else runs, measure)
        if found is None:
            raise UsageError(f"{published / task.name} has no two arms with two trainings and equal episodes each")
        return found, f"from {published / task.name}"
    own = _spread(_finished(task), measure)
    return (own, "from this suite's rows") if own is not None else (SEEN[measure], "as seen in phase2-cpu")


def _spread(runs: Mapping[str, Sequence[Sequence[Row]]], measure: Measure) -> Spread | None:
    """Training and episode spread of a difference of two arms, from the arms that have most trainings."""
    most = max((len(of) for of in runs.values()), default=0)
    field = dict(MEASURES)[measure]
    if most < 2:
        return None
    matrices = [scores(of, field) for of in runs.values() if len(of) == most]
    if len(matrices) < 2 or len({matrix.shape for matrix in matrices}) > 1:
        return None
    found = components(matrices, difference=True)
    return None if found is None or not found.rest else Spread(found.training, found.rest)  # all equal tells nothing


def _finished(task: TaskPlan) -> dict[str, list[list[Row]]]:
    """Report rows of the training seeds that all arms have finished."""
    arms = [arm for arm in task.arms if not arm.baseline]
    done = [[cell.done() is not None for cell in arm.evaluations] for arm in arms]
    seeds = [index for index, of_seed in enumerate(zip(*done, strict=True)) if all(of_seed)]
    return {arm.label: [read_rows(report_rows(arm.evaluations[i].directory, "agent")) for i in seeds] for arm in arms}
