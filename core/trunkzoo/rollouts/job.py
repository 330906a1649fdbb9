"""What is evaluated: a task, a policy, and every number that decides an episode beside its seed. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trunkzoo.catalogue.part import Part


@dataclass(frozen=True)
class Job:
    """Task, policy, checkpoint, step cap and noise seed: an episode is a function of its job and its own seed."""

    task: Part
    policy: str
    """What rows call it: agent, blind, or the record of a policy by its name."""
    max_steps: int
    """Control steps of every episode; success does not end it."""
    checkpoint: Path | None = None
    """The ``model.safetensors`` or exported graph that acts; None for floors and the ceiling."""
    noise_seed: int = 0
    """Base of the policy noise: chunk k of episode s starts from the draws of hash(noise_seed, s, k)."""
    device: str = "cpu"
    record: Part | None = None
    """The policy that acts where no agent does, with its settings."""
    num_action_steps: int | None = None
    """Actions of each chunk that an agent executes, 1 to its pred_horizon; None for as many as its contract says."""


@dataclass(frozen=True, eq=False)
class Item:
    """One episode to run, and who sees it. An item equals only itself."""

    job: Job
    seed: int
    video: Path | None = None
    """Where its film goes, if anywhere."""
    live: bool = False
    """Whether frames are sent while it runs."""


@dataclass(frozen=True)
class EpisodeResult:
    """Success and rewards of one episode."""

    seed: int
    success: bool
    """Whether the task's rule held at any step."""
    success_step: int | None
    """First step (from 1) at which it held."""
    average_reward: float
    """Return divided by steps."""
    total_reward: float
    """The return: the undiscounted sum of rewards."""
    max_reward: float
    steps: int
