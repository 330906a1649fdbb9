"""Pages of the repository's root as pages of the site, with their links turned, and the pictures that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PAGES = {
    "RESULTS.md": "results/words.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def copies(root: Path) -> Iterator[tuple[str, str | bytes]]:
    """Address and content of every page and of every picture on it."""
    for name, address in PAGES.items():
        text = (root / name).read_text(encoding="utf-8")
        yield address, LINK.sub(_turned, text)
        for target, _ in LINK.findall(text):
            if target.endswith(".png"):
                yield f"results/{_flat(target)}", (root / target).read_bytes()


def _turned(link: re.Match[str]) -> str:
    """``](…)`` with the place of its target on the site; what is not on the site keeps its words alone."""
    target, anchor = link[1], link[2] or ""
    if target.startswith("docs/"):
        return f"](../{target.removeprefix('docs/')}{anchor})"
    if target in PAGES:
        return f"](../{PAGES[target]}{anchor})"
    if target.endswith(".png"):
        return f"]({_flat(target)})"
    raise ValueError(f"{target} is not on the site; link to a page of docs/, or name it in back-ticks")


def _flat(target: str) -> str:
    """``results/phase2-demo/charts.png`` → ``phase2-demo-charts.png``."""
    return target.removeprefix("results/").replace("/", "-")
