"""Every page that is written from the code: its address on the site, and what writes it."""

from __future__ import annotations

from collections.abc import Callable

import cli_page
import gallery_pages
import numbers_page
import settings_pages

PYTHON = """# Python

What the command line does, a notebook can do. `import trunkzoo` loads no torch; each name loads what it needs when it is called.

::: trunkzoo.api

## Statistics

::: trunkzoo.statistics

## For the tests of a plugin

::: trunkzoo.testing
"""

PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli_page.write,
    "reference/registry.md": settings_pages.write_registry,
    "reference/parts.md": settings_pages.write_parts,
    "reference/python.md": lambda: PYTHON,
    "gallery/trunks.md": gallery_pages.write_trunks,
    "gallery/tasks.md": gallery_pages.write_tasks,
    "results/numbers.md": numbers_page.write,
}
