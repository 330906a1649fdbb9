"""The header's format number, and how older headers become today's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from trunkzoo.errors import CheckpointError

FORMAT = 1
_NUMBER = re.compile(r"[0-9]{1,9}")
Metadata = dict[str, str]

MIGRATIONS: Mapping[int, Callable[[Metadata], Metadata]] = {}
"""``MIGRATIONS[n]`` turns metadata of format n into format n + 1; a released format stays readable for good."""


def migrate(metadata: Metadata, file: Path) -> Metadata:
    """Bring a header's metadata up to :data:`FORMAT`.

    Raises:
        CheckpointError: the format is no number, newer than this version, or older than any migration.
    """
    stated = metadata["format"]
    if not _NUMBER.fullmatch(stated):
        raise CheckpointError(f"{file} states format {stated[:20]!a}, which is no number: the header is damaged")
    number = int(stated)
    if number > FORMAT:
        raise CheckpointError(
            f"{file} has checkpoint format {number}, this trunkzoo reads up to {FORMAT}; "
            "upgrade with: pip install --upgrade trunkzoo"
        )
    while number < FORMAT:
        if number not in MIGRATIONS:
            raise CheckpointError(f"{file} has checkpoint format {number}, which no release of trunkzoo ever wrote")
        metadata = MIGRATIONS[number](metadata)
        number += 1
    return metadata
