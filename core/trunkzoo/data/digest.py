"""Hashes of file contents, computed once per state of a file."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from trunkzoo.errors import DataError, ZooError
from trunkzoo.system.files import write_text

_DIGEST = re.compile(r"[0-9a-f]{32}")


def file_digest(path: Path, memory: Path) -> str:
    """Hash of the content of ``path``, remembered in the directory ``memory`` while size and time stamp stay.

    Raises:
        DataError: the file is missing, or ``memory`` cannot be written.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; `zoo data check` lists what else is") from None
    state = _state(stat)
    note = memory / hashlib.blake2b(str(path.resolve()).encode(), digest_size=16).hexdigest()
    if note.is_file():
        known, _, digest = note.read_text(errors="replace").rpartition(" ")
        if known == state and _DIGEST.fullmatch(digest):
            return digest
    digest = _hash(path)
    try:
        write_text(note, f"{state} {digest}")
    except ZooError as error:
        raise DataError(f"the cache {memory} cannot be written ({error}); set TRUNKZOO_CACHE") from None
    return digest


def sealed(path: Path) -> str:
    """What :func:`unchanged` later holds ``path`` against: its size, time stamp and hash, as one line."""
    return f"{_state(path.stat())} {_hash(path)}"


def unchanged(path: Path, seal: str) -> bool:
    """Does ``path`` have the content that was sealed? It is read only if its size, time stamp or place is another."""
    state, _, digest = seal.strip().rpartition(" ")
    return state == _state(path.stat()) or digest == _hash(path)


def _state(stat: os.stat_result) -> str:
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
