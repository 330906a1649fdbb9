"""``manifest.json``: sizes and hashes of a checkpoint's files, written last, so its presence means the rest is whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from trunkzoo.checkpoint.layout import MANIFEST
from trunkzoo.errors import CheckpointError


class Fingerprint(NamedTuple):
    """Size and hash of a file."""

    bytes: int
    sha256: str


def write_manifest(directory: Path, step: int, files: dict[str, Fingerprint]) -> None:
    """Write and sync the manifest of ``directory``."""
    entries = {name: print_._asdict() for name, print_ in files.items()}
    with (directory / MANIFEST).open("w", encoding="utf-8") as stream:
        json.dump({"format": 1, "step": step, "files": entries}, stream, indent=2)


def verify(file: Path) -> bool:
    """Hold a file against the manifest beside it; False if there is none.

    Raises:
        CheckpointError: the manifest is unreadable, or the size or hash of the file is another.
    """
    manifest = file.parent / MANIFEST
    if not manifest.is_file():
        return False
    try:
        expected = Fingerprint(**json.loads(manifest.read_text(encoding="utf-8"))["files"][file.name])
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{manifest} does not describe {file.name}: it is damaged; use another checkpoint"
        ) from None
    size = file.stat().st_size
    if size != expected.bytes:
        raise CheckpointError(f"{file} has {size} bytes, its manifest says {expected.bytes}: cut short or changed")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected.sha256:
        raise CheckpointError(
            f"{file} is damaged: sha256 {found[:12]}…, its manifest says {expected.sha256[:12]}…; use another checkpoint"
        )
    return True
