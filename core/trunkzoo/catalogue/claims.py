"""Entry points by which installed distributions claim plugin names, read from metadata without importing anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from trunkzoo.errors import printable
from trunkzoo.plugin.hooks import API_VERSION, GROUP_PREFIX

UNREADABLE = "unreadable"  # the API of a claim whose entry points cannot be parsed
OURS = "trunkzoo"
NAMELESS = "unknown"  # a distribution whose metadata cannot be read


@dataclass(frozen=True)
class Claim:
    """One entry point: a distribution claims a plugin name for one API version."""

    name: str
    distribution: str
    version: str
    api: str
    entry_point: metadata.EntryPoint | None
    """None when the distribution's entry_points.txt cannot be parsed."""

    @property
    def title(self) -> str:
        """How people tell it from others: ``'name' of distribution``."""
        return f"'{self.name}' of {self.distribution}"

    @property
    def ours(self) -> bool:
        """Whether it was written for the plugin API of this trunkzoo."""
        return self.api == str(API_VERSION)


def installed_claims() -> list[Claim]:
    """Every claim of every installed distribution.

    A distribution that is listed twice, as some editable installs are, counts once. A name that it claims for our
    API and for others too counts for ours.
    """
    claims: list[Claim] = []
    seen: set[str] = set()
    for distribution in metadata.distributions():
        if not _mentions_us(distribution):
            continue
        name, version = _identity(distribution)
        if normal(name) == OURS and not _ships_the_command(distribution):
            name = f"{name}, not this one but at {printable(str(distribution.locate_file('')))}"
        # distributions without readable metadata share no name: each of them is a claim
        if normal(name) not in seen or name == NAMELESS:
            seen.add(normal(name))
            claims += _claims_of(distribution, name, version)
    return claims


def _ships_the_command(distribution: metadata.Distribution) -> bool:
    """Is it trunkzoo itself, whose names are reserved? Any package may call itself so."""
    return "= trunkzoo_cli." in _entry_points(distribution)


def normal(distribution: str) -> str:
    """A distribution's name in the spelling that compares (PEP 503)."""
    return distribution.lower().replace("_", "-").replace(".", "-")


def _mentions_us(distribution: metadata.Distribution) -> bool:
    """Look before parsing: an environment has hundreds of distributions, and start-up time counts."""
    return GROUP_PREFIX in _entry_points(distribution)


def _entry_points(distribution: metadata.Distribution) -> str:
    """The text of its entry points; one that is no text counts as ours, since all who read it fail, torch first of all."""
    try:
        return distribution.read_text("entry_points.txt") or ""
    except UnicodeDecodeError:
        return GROUP_PREFIX
    except OSError:
        return ""


def _identity(distribution: metadata.Distribution) -> tuple[str, str]:
    try:
        info = distribution.metadata
        return str(info["Name"] or NAMELESS), str(info["Version"] or "unknown")
    except (KeyError, TypeError, ValueError, OSError):
        return NAMELESS, "unknown"


def _claims_of(distribution: metadata.Distribution, name: str, version: str) -> Iterator[Claim]:
    try:
        points = [point for point in distribution.entry_points if point.group.startswith(GROUP_PREFIX)]
    except (TypeError, ValueError, AttributeError):
        yield Claim(name, name, version, UNREADABLE, None)
        return
    claims = [Claim(p.name, name, version, p.group.removeprefix(GROUP_PREFIX), p) for p in dict.fromkeys(points)]
    ours = {claim.name for claim in claims if claim.ours}
    yield from (claim for claim in claims if claim.ours or claim.name not in ours)


def roots(package: str) -> list[Path]:
    """The folders, or the file, of a top-level package, which is not imported; none where it is not found."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations or ()] or [Path(spec.origin or "")]
