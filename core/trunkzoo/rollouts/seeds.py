"""Which seeds are for what, so that no episode serves twice.

Seeds that people type by hand are small. Episodes that CHOOSE something (a checkpoint, a setting) and episodes that are
REPORTED come from ranges that cannot meet: a score is biased upward on the seeds that chose it. Demonstrations lie
above both. How an episode's seed becomes its policy's noise: :func:`trunkzoo.rollouts.policies.chunk_noise`.
"""

from __future__ import annotations

import re

from trunkzoo.errors import UsageError

SEEDS_PER_PURPOSE = 1_000_000
SELECTION_SEEDS = range(1 * SEEDS_PER_PURPOSE, 2 * SEEDS_PER_PURPOSE)
REPORT_SEEDS = range(2 * SEEDS_PER_PURPOSE, 3 * SEEDS_PER_PURPOSE)
DEMONSTRATION_SEEDS = 3 * SEEDS_PER_PURPOSE  # the first of them


def purpose_of(seeds: range) -> str | None:
    """What else these seeds serve for, in words; None if they are free or for reporting."""
    if seeds.start < SELECTION_SEEDS.stop and seeds.stop > SELECTION_SEEDS.start:
        return "choose checkpoints in suites"
    return "are those of demonstrations" if seeds.stop > DEMONSTRATION_SEEDS else None


def parse_seeds(text: str) -> range:
    """``A:B`` as the seeds A, A+1, … B−1.

    Raises:
        UsageError: not two integers with 0 ≤ A < B, or more than a million seeds.
    """
    match = re.fullmatch(r"([0-9]{1,18}):([0-9]{1,18})", text)
    seeds = range(int(match[1]), int(match[2])) if match else range(0)
    if not 0 < len(seeds) <= SEEDS_PER_PURPOSE:
        raise UsageError(
            f"seeds {text!r}: write A:B with 0 ≤ A < B of at most 18 digits, a million seeds at most, for example 0:20 for "
            "the seeds 0 to 19",
            ["seeds"],
        )
    return seeds
