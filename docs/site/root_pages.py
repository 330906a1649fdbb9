"""Pages of the repository's root as pages of the site, with their links turned, and the pictures that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from posixpath import normpath

PAGES = {
    "RESULTS.md": "results/words.md",
    "results/older.md": "results/older.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
PICTURES = (".png", ".svg")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def copies(root: Path) -> Iterator[tuple[str, str | bytes]]:
    """Address and content of every page and of every picture on it."""
    for name, address in PAGES.items():
        text, folder = (root / name).read_text(encoding="utf-8"), PurePosixPath(name).parent
        yield address, LINK.sub(partial(_turned, folder), text)
        for target, _ in LINK.findall(text):
            if target.endswith(PICTURES):
                picture = _from_root(folder, target)
                yield f"results/{_flat(picture)}", (root / picture).read_bytes()


def _turned(folder: PurePosixPath, link: re.Match[str]) -> str:
    """``](…)`` of a page in ``folder`` with the place of its target on the site.

    Raises:
        ValueError: the target is not on the site.
    """
    target, anchor = _from_root(folder, link[1]), link[2] or ""
    if target.startswith("docs/"):
        return f"](../{target.removeprefix('docs/')}{anchor})"
    if target in PAGES:
        return f"](../{PAGES[target]}{anchor})"
    if target.endswith(PICTURES):
        return f"]({_flat(target)})"
    raise ValueError(f"{target} is not on the site; link to a page of docs/, or name it in back-ticks")


def _from_root(folder: PurePosixPath, target: str) -> str:
    """A link of a page in ``folder``, seen from the root of the repository."""
    return normpath(folder / target)


def _flat(target: str) -> str:
    """``results/phase2-demo/charts.png`` → ``phase2-demo-charts.png``."""
    return target.removeprefix("results/").replace("/", "-")
