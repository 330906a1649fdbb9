"""torch.compile, which makes machine code by a compiler of C++ that not every machine has."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

from trunkzoo.errors import UsageError

T = TypeVar("T", bound=Callable[..., Any])
_DEFAULT = {"win32": "cl", "darwin": "clang++"}  # elsewhere g++; as torch looks for it


def compiled(work: T) -> T:
    """The same module or function under torch.compile; its first call compiles, which takes up to minutes.

    Raises:
        UsageError: this machine has no C++ compiler.
    """
    compiler = os.environ.get("CXX") or _DEFAULT.get(sys.platform, "g++")
    if shutil.which(compiler) is None:
        raise UsageError(
            f"torch.compile needs a C++ compiler, and there is no {compiler} here; install one (Debian: apt-get install "
            "g++), name yours in CXX, or do without compiling"
        )
    return cast(T, torch.compile(work))
