"""Writing that a kill cannot halve: to a sibling, synced, renamed, and the parent synced."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trunkzoo.errors import CheckpointError, UsageError

_WRONG_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}
LEFTOVER = ".tmp-"  # part of every temporary name, so that a later run can clear what a kill left


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary directory that becomes ``target`` when the block ends well, and vanishes otherwise.

    Files written inside must be synced by their writer (:func:`sync`).

    Raises:
        UsageError: ``target`` cannot be written at all.
        CheckpointError: ``target`` exists, or the disk is full; what was there is untouched.
    """
    if target.exists():
        raise CheckpointError(f"{target} already exists; choose another directory or remove it")
    temporary = _sibling(target)
    try:
        with explained(target):
            temporary.mkdir(parents=True)
            yield temporary
            sync(temporary)
            temporary.rename(target)
            sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces the file ``target`` when the block ends well; see :func:`new_directory`."""
    temporary = _sibling(target)
    try:
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            sync(temporary)
            temporary.replace(target)
            sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Replace ``target`` by ``text``, atomically."""
    with new_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def point(link: Path, target: Path) -> None:
    """Make ``link`` a relative symbolic link to ``target`` in the same directory, atomically."""
    with new_file(link) as temporary:
        temporary.symlink_to(target.name)


def remove(directory: Path) -> None:
    """Delete a directory so that no half of it can be mistaken for the whole."""
    doomed = _sibling(directory)
    directory.rename(doomed)
    shutil.rmtree(doomed)


def clear_leftovers(folder: Path) -> None:
    """Delete what killed writers left in ``folder``; call it only while nobody else writes there."""
    for path in folder.glob(f".*{LEFTOVER}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def sync(path: Path) -> None:
    """Flush a file or a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin_writeback(descriptor: int, start: int, end: int) -> None:
    """Let the disk start on the bytes from ``start`` to ``end`` now; it does not wait, and promises nothing."""
    if hasattr(os, "posix_fadvise"):  # Linux; elsewhere the sync does it all
        os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn an operating-system error while writing ``target`` into one line for people.

    Raises:
        UsageError: nothing can be written there at all.
        CheckpointError: anything else, a full disk first of all.
    """
    try:
        yield
    except OSError as error:
        kind = UsageError if error.errno in _WRONG_PLACE else CheckpointError
        raise kind(_explain(error, target)) from error


def _explain(error: OSError, target: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"disk full or quota reached while writing {target}; nothing older was touched: free space, then try again"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{target} is not writable ({error.strerror}); choose another directory or change its permissions"
    return f"cannot write {target}: {error.strerror or error}"


def _sibling(target: Path) -> Path:
    return target.with_name(f".{target.name}{LEFTOVER}{os.getpid()}")
