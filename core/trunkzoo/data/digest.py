"""Hashes of file contents, computed once per state of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trunkzoo.errors import DataError, ZooError
from trunkzoo.system.files import write_text


def file_digest(path: Path, memory: Path) -> str:
    """Hash of the content of ``path``, remembered in the directory ``memory`` while size and time stamp stay.

    Raises:
        DataError: the file is missing, or ``memory`` cannot be written.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; `zoo data check` lists what else is") from None
    state = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    note = memory / hashlib.blake2b(str(path.resolve()).encode(), digest_size=16).hexdigest()
    if note.is_file():
        known, _, digest = note.read_text().rpartition(" ")
        if known == state:
            return digest
    digest = _hash(path)
    try:
        write_text(note, f"{state} {digest}")
    except ZooError as error:
        raise DataError(f"the cache {memory} cannot be written ({error}); set TRUNKZOO_CACHE") from None
    return digest


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
