"""Reference scores for a policy: floors (itself on blanked images, no-op, random) and the expert as ceiling."""

from __future__ import annotations

from pathlib import Path

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.named import BLIND
from trunkzoo.rollouts.plan import plan
from trunkzoo.rollouts.references import REFERENCES


def floors_of(evaluation: Evaluation, catalogue: Catalogue, episodes: int) -> list[Evaluation]:
    """Evaluations, still to be run, of the floors and the ceiling on the first ``episodes`` seeds of a policy's."""
    return [_floor(evaluation, policy, catalogue, episodes) for policy in (BLIND, *REFERENCES)]


def _floor(evaluation: Evaluation, policy: str, catalogue: Catalogue, episodes: int) -> Evaluation:
    job = evaluation.plan.job
    acts = job.record if policy == BLIND and job.record else policy
    blind = policy == BLIND
    planned = plan(
        catalogue,
        acts,
        job.checkpoint,
        job.task,
        job.max_steps,
        job.noise_seed,
        job.device,
        blind=blind,
        num_action_steps=job.num_action_steps if blind else None,
    )
    return Evaluation(planned, evaluation.seeds[:episodes], evaluation.file and _beside(evaluation.file, policy))


def _beside(file: Path, policy: str) -> Path:
    """``eval-agent.jsonl`` → ``eval-blind.jsonl``, ``rows.jsonl`` → ``rows-blind.jsonl``."""
    return file.with_stem(f"{file.stem.removesuffix('-agent')}-{policy}")
