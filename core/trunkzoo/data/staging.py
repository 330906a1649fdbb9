"""Directories that appear complete or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trunkzoo.errors import DataError, UsageError
from trunkzoo.system.files import sync

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield an empty sibling of ``target`` that becomes ``target`` when the block ends without an error.

    An error removes the sibling. A killed process leaves it behind; the next writer of ``target`` removes it,
    which it may, because the kernel drops a dead process's lock.

    Raises:
        UsageError: ``target`` exists and is not an empty directory, or its parent cannot be written.
        DataError: the disk is full.
    """
    refuse_existing(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        staging, lock = _create(target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}; choose another directory") from None
    try:
        yield staging
        _sync_tree(staging)
        staging.rename(target)
        sync(target.parent)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DataError(f"the disk is full, so {target} was not written; free some space or choose another") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)


def refuse_existing(target: Path) -> None:
    """Raise UsageError unless ``target`` is absent or an empty directory."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} exists already; choose another directory or delete it first")


def require_writable(target: Path) -> None:
    """Raise UsageError unless ``target`` could be made now: before hours of work, not after."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent)).rmdir()
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}; choose another directory") from None


def _prefix(target: Path) -> str:
    return f".{target.name}.partial-"


def _create(target: Path) -> tuple[Path, int]:
    """A new locked sibling; made again if another process mistook it for an abandoned one before it was locked."""
    while True:
        staging = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        staging.chmod(0o777 & ~_umask())
        try:
            lock = os.open(staging, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if staging.exists():
            return staging, lock
        os.close(lock)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_abandoned(target: Path) -> None:
    for sibling in target.parent.glob(_prefix(target) + "*"):
        try:
            lock = os.open(sibling, os.O_RDONLY)
        except FileNotFoundError:
            continue  # its owner has just finished
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(sibling, ignore_errors=True)
        except BlockingIOError:
            pass  # its owner is alive
        finally:
            os.close(lock)


def _sync_tree(directory: Path) -> None:
    for folder, _, files in os.walk(directory):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))
