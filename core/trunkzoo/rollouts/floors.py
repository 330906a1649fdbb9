"""Reference scores for an agent: floors (itself on blanked images, no-op, random) and the expert as ceiling."""

from __future__ import annotations

from pathlib import Path

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.job import PolicyKind
from trunkzoo.rollouts.plan import plan

REFERENCE_POLICIES: tuple[PolicyKind, ...] = ("blind", "noop", "random", "expert")


def floors_of(evaluation: Evaluation, catalogue: Catalogue, episodes: int) -> list[Evaluation]:
    """Evaluations, still to be run, of the floors and the ceiling on the first ``episodes`` seeds of an agent's."""
    return [_floor(evaluation, policy, catalogue, episodes) for policy in REFERENCE_POLICIES]


def _floor(evaluation: Evaluation, policy: PolicyKind, catalogue: Catalogue, episodes: int) -> Evaluation:
    job = evaluation.plan.job
    planned = plan(catalogue, policy, job.checkpoint, job.task, job.max_steps, job.noise_seed, job.device)
    return Evaluation(planned, evaluation.seeds[:episodes], evaluation.file and _beside(evaluation.file, policy))


def _beside(file: Path, policy: PolicyKind) -> Path:
    """``eval-agent.jsonl`` → ``eval-blind.jsonl``, ``rows.jsonl`` → ``rows-blind.jsonl``."""
    return file.with_stem(f"{file.stem.removesuffix('-agent')}-{policy}")
