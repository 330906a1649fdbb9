"""What names the code of an installed plugin: its version, and for an editable one a hash of its files.

Every plugin's author works with ``pip install -e``, where an edit keeps the version: results that were made before it
would pass for results of the code that is there now. trunkzoo's own checkout goes by its version alone: there each
edit of any file, a docstring of the CLI too, would make every result of every suite again.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata

from trunkzoo.catalogue.claims import OURS, normal, roots
from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.plain import parse_table

LARGE = 2**20  # bytes; larger files, such as weights, are told apart by name and size
_LEFT_OUT = {"__pycache__", ".git", ".venv", "node_modules"}


def edition(row: PluginRow) -> str:
    """``0.1.0``, or ``0.1.0+files.1a2b3c4d5e6f`` for a third party's editable installation.

    The hash is taken once per process: what is imported does not change under it.
    """
    folder = None if normal(row.distribution) == OURS else editable_folder(row.distribution)
    return f"{row.version}+files.{_hash_of(row.target)}" if folder else row.version


def editable_folder(distribution: str) -> str | None:
    """Where the source of an editable installation lies (PEP 610); None for any other."""
    try:
        text = metadata.distribution(distribution).read_text("direct_url.json")
        origin = parse_table(text or "{}")
        editable = bool(origin.get("dir_info", {}).get("editable"))
        return str(origin["url"]).removeprefix("file://") if editable else None
    except (metadata.PackageNotFoundError, ValueError, LookupError, AttributeError, OSError):
        return None


@cache
def _hash_of(target: str) -> str:
    """Twelve hexadecimal digits over the files of the package that an entry point names."""
    digest = hashlib.sha256()
    for root in roots(target.partition(":")[0].partition(".")[0].strip()):
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and not _LEFT_OUT & set(path.parts):
                size = path.stat().st_size
                digest.update(f"{path.relative_to(root.parent)}\0{size}\0".encode())
                digest.update(path.read_bytes() if size <= LARGE else b"")
    return digest.hexdigest()[:12]
