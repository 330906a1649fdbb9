"""What mkdocs calls while it builds the site: pages that are written from the code, and guides that the navigation lacks."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))  # its neighbours are no package

from generated import PAGES
from root_pages import copies

ROOT = Path(__file__).parents[2]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put guides that mkdocs.yml does not name at the end of Guides."""
    named = str(config.nav)
    guides = next(entry["Guides"] for entry in config.nav or [] if "Guides" in entry)
    guides += [page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in named]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the written pages, and those of the repository's root with the files that they show."""
    for address, write in PAGES.items():
        files.append(File.generated(config, address, content=write()))
    for address, content in copies(ROOT):
        files.append(File.generated(config, address, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A block that names its file, ``file=`` for the tests, shows the name as its title."""
    return re.sub(r"^```(\w+) file=(\S+)$", r'```\1 title="\2"', markdown, flags=re.MULTILINE)
