"""Files and directories that appear whole or not at all, whenever the process is killed and however full the disk is.

They are made under a hidden name beside their place, synced and renamed. What has that name is locked by its writer, and
the kernel drops a dead process's lock: so the next writer knows what a kill left behind, clears it, and leaves alone
what a living one still writes.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from trunkzoo.errors import DiskError, UsageError
from trunkzoo.system.locks import take

LEFTOVER = ".partial-"  # part of every hidden name
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_WRONG_PLACE = _UNWRITABLE | {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes ``target`` when the block ends well, and vanishes otherwise.

    Raises:
        UsageError: ``target`` exists and is not an empty directory, or it cannot be written at all.
        DiskError: the disk is full; what was there is untouched.
    """
    refuse_existing(target)
    with _appearing(target, Path.mkdir) as hidden:
        yield hidden


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield an empty file that replaces ``target`` when the block ends well; see :func:`new_directory`."""
    with _appearing(target, Path.touch) as hidden:
        yield hidden


def write_text(target: Path, text: str) -> None:
    """Replace ``target`` by ``text``, atomically."""
    with readable_os_errors(target), new_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def point_link(link: Path, target: Path) -> None:
    """Make ``link`` a relative symbolic link to ``target`` in the same directory, atomically."""
    with readable_os_errors(link), _hidden(link, Path.mkdir) as hidden:
        new = hidden / link.name
        new.symlink_to(target.name)
        new.replace(link)
        sync(link.parent)


def remove(directory: Path) -> None:
    """Delete a directory so that no half of it can be mistaken for the whole."""
    with _hidden(directory, Path.mkdir) as hidden:
        directory.rename(hidden / directory.name)


def regular(path: Path) -> Path:
    """The same path, for reading; OSError for a pipe or a device, which another's folder may hold and which may never end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path


def refuse_existing(target: Path) -> None:
    """Raise UsageError unless ``target`` is absent or an empty directory."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} already exists; choose another directory or delete it first")


def require_writable(target: Path) -> None:
    """Raise UsageError unless ``target`` could be made now: before hours of work, not after."""
    with readable_os_errors(target), _hidden(target, Path.mkdir):
        pass


def clear_leftovers(folder: Path, name: str = "*") -> None:
    """Delete what killed writers of ``name``, a shell pattern, left in ``folder``; living ones keep theirs."""
    for hidden in folder.glob(f".{name}{LEFTOVER}*"):
        with suppress(OSError):  # its writer has just finished, or it is none of ours
            lock = _open(hidden)
            try:
                if take(lock):
                    _delete(hidden)
            finally:
                os.close(lock)


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
def readable_os_errors(target: Path, only: Collection[int] | None = None) -> Iterator[None]:
    """A block in which an operating-system error about ``target`` becomes one readable line.

    ``only`` are the error numbers to turn; None turns all.

    Raises:
        UsageError: nothing can be written there at all.
        DiskError: anything else, a full disk first of all.
    """
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        kind = UsageError if error.errno in _WRONG_PLACE else DiskError
        raise kind(_explain(error, target)) from error


def _explain(error: OSError, target: Path) -> str:
    if error.errno in _FULL:
        return (
            f"disk full or quota reached while writing {target}; nothing older was touched: free space, then try again"
        )
    if error.errno in _UNWRITABLE:
        return f"{target} is not writable ({error.strerror}); choose another directory or change its permissions"
    return f"cannot write {target}: {error.strerror or error}; choose another directory"


@contextmanager
def _appearing(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Yield what ``make`` makes, under a hidden name, and put it in the place of ``target`` when the block ends well."""
    with ExitStack() as stack:
        with readable_os_errors(target):
            hidden = stack.enter_context(_hidden(target, make))
        with readable_os_errors(target, _FULL):  # what else fails in the block may be about other files
            yield hidden
        with readable_os_errors(target):
            _sync_all(hidden)
            hidden.replace(target)
            sync(target.parent)


@contextmanager
def _hidden(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Yield what ``make`` makes under a hidden name beside ``target``, locked; in the end it is deleted.

    What dead writers of ``target`` left is cleared first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target.parent, glob.escape(target.name))
    hidden, lock = _made(target, make)
    try:
        yield hidden
    finally:
        _delete(hidden)
        os.close(lock)


def _made(target: Path, make: Callable[[Path], None]) -> tuple[Path, int]:
    """The hidden path and its lock; made again if another process took it for a leftover before it was locked."""
    while True:
        hidden = target.with_name(f".{target.name}{LEFTOVER}{secrets.token_hex(4)}")
        make(hidden)
        with suppress(FileNotFoundError):
            lock = _open(hidden)
            take(lock, wait=True)
            if hidden.exists():
                return hidden, lock
            os.close(lock)


def _open(hidden: Path) -> int:
    return os.open(hidden, (os.O_RDONLY if hidden.is_dir() else os.O_RDWR) | os.O_NOFOLLOW)


def _delete(hidden: Path) -> None:
    if hidden.is_dir():
        shutil.rmtree(hidden, ignore_errors=True)
    else:
        hidden.unlink(missing_ok=True)


def _sync_all(content: Path) -> None:
    for folder, _, files in os.walk(content):  # nothing for a file
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))
    if content.is_file():
        sync(content)
