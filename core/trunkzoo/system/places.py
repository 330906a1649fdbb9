"""Where files of this user lie that may go at any time."""

from __future__ import annotations

import os
from pathlib import Path

from trunkzoo.errors import DataError


def cache_root() -> Path:
    """``$TRUNKZOO_CACHE``, else ``trunkzoo`` in the user's cache directory.

    Raises:
        DataError: there is no such directory, as for a user without an entry in passwd.
    """
    if root := os.environ.get("TRUNKZOO_CACHE"):
        return Path(root)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trunkzoo"
    except RuntimeError:  # a user without an entry in passwd, as containers have
        raise DataError("there is no home directory for the image cache; set TRUNKZOO_CACHE to a directory") from None
