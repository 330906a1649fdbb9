"""When a suite may end before its last training seed, and what it looks at then: words of the options."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What is compared."""

    success = "success"
    reward = "reward"


class UntilName(StrEnum):
    """When a suite may end before its last training seed."""

    decided = "decided"
    futile = "futile"


def check_looks(until: UntilName | None, outcome: Outcome | None, detect: float | None) -> None:
    """Raise UsageError if something is said of looks that are not asked for."""
    from trunkzoo.errors import UsageError

    for option, value in (("detect", detect), ("outcome", outcome)):
        if until is None and value is not None:
            raise UsageError(f"--{option} says what --until looks for; add --until decided or --until futile")
