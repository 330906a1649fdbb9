"""The border of the data: whatever a library raises about somebody's file becomes one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trunkzoo.errors import DataError, ZooError, one_line


@contextmanager
def reading(
    path: Path, advice: str = "it is damaged, incomplete or of another format; copy it again"
) -> Iterator[None]:
    """Run what reads ``path`` and interprets what it finds there.

    A file that anybody may have written can make pyarrow, h5py, zarr, Pillow, FFmpeg and our own arithmetic on its
    numbers raise anything at all, memory and recursion included, so no list of classes would be whole.

    Raises:
        DataError: something was raised that is not an error of ours already.
    """
    try:
        yield
    except ZooError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or path} is missing; `zoo data check` lists what else is") from error
    except Exception as error:
        raise DataError(f"{path} cannot be read ({one_line(error)}): {advice}") from error
