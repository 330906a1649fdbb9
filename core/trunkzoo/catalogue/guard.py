"""Guards around the code of plugins: exceptions become a PluginError, what is printed goes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from trunkzoo.errors import PluginError, ZooError, one_line


def strict() -> bool:
    """Whether ``TRUNKZOO_STRICT=1`` asks for a plugin's own exceptions and tracebacks."""
    return os.environ.get("TRUNKZOO_STRICT", "") not in ("", "0")


@contextlib.contextmanager
def plugin_code(what: str) -> Iterator[None]:
    """A block that runs a plugin's code. What it prints goes to stderr, because stdout may be JSON.

    Raises:
        PluginError: it raised something that is not our own error; one line about ``what``.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except ZooError:
        raise
    except (Exception, SystemExit) as error:
        if strict():
            raise
        raise PluginError(f"{what} failed: {one_line(error)} (TRUNKZOO_STRICT=1 shows where)") from error
