"""Versions of the libraries behind a result, read from their metadata without importing them."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = ("trunkzoo", "torch", "numpy", "accelerate", "safetensors")


def library_versions() -> dict[str, str]:
    """Python's version and those of trunkzoo and the libraries that a trained weight depends on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _LIBRARIES}


@cache  # what is imported does not change under a running process
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
