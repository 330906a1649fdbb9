"""Find plugins by their entry points and load each one alone, so that no plugin's fault reaches another."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Literal

from trunkzoo.errors import PluginError, did_you_mean
from trunkzoo.hookspecs import API_VERSION, GROUP, GROUP_PREFIX
from trunkzoo.loader import Records, load_records
from trunkzoo.spec import NAME_RULE

Status = Literal["ok", "broken", "incompatible", "disabled", "conflict"]


@dataclass(frozen=True, kw_only=True)
class PluginRow:
    """What became of one plugin. ``reason`` is one line, empty when nothing is wrong."""

    name: str
    distribution: str
    version: str
    api: str
    """Major version of the plugin API that it was written for, from the name of its entry-point group."""
    target: str
    """Its entry point: the module that holds the hooks."""
    status: Status
    reason: str = ""
    trunks: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    error: BaseException | None = field(default=None, compare=False, repr=False)

    def offers(self) -> str:
        """What it ships, in words: ``2 trunks, 1 head``."""
        counts = (("trunk", self.trunks), ("head", self.heads), ("task", self.tasks))
        return ", ".join(f"{len(ids)} {kind}{'s' * (len(ids) != 1)}" for kind, ids in counts if ids)


@dataclass(frozen=True)
class Policy:
    """What decides, before any import, which plugins load."""

    reserved: Mapping[str, str] = field(default_factory=dict)
    """Plugin name → the only distribution that may claim it."""
    disabled: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """Load these alone; None loads all."""
    strict: bool = False
    """Raise the first fault instead of recording it."""


@dataclass(frozen=True)
class _Claim:
    """One entry point: a distribution claims a plugin name for one API version."""

    name: str
    distribution: str
    version: str
    api: str
    entry_point: metadata.EntryPoint

    def row(self, status: Status, reason: str = "", error: BaseException | None = None) -> PluginRow:
        return PluginRow(
            name=self.name,
            distribution=self.distribution,
            version=self.version,
            api=self.api,
            target=self.entry_point.value,
            status=status,
            reason=reason,
            error=error,
        )


def environment_policy(reserved: Mapping[str, str], disabled: Iterable[str]) -> Policy:
    """Add ``TRUNKZOO_PLUGINS`` (names to load, comma-separated; empty loads none) and ``TRUNKZOO_STRICT=1``."""
    limit = os.environ.get("TRUNKZOO_PLUGINS")
    return Policy(
        reserved=reserved,
        disabled=frozenset(disabled),
        only=None if limit is None else frozenset(name.strip() for name in limit.split(",") if name.strip()),
        strict=os.environ.get("TRUNKZOO_STRICT", "") not in ("", "0"),
    )


def discover(policy: Policy) -> list[tuple[PluginRow, Records]]:
    """One row per claim, sorted by plugin name; the records of a plugin whose status is not ``ok`` are empty."""
    by_name: dict[str, list[_Claim]] = {}
    for claim in _claims():
        by_name.setdefault(claim.name, []).append(claim)
    return [found for name in sorted(by_name) for found in _settle(name, by_name[name], policy)]


def unknown_limits(policy: Policy, rows: Iterable[PluginRow]) -> list[str]:
    """Say which names of ``TRUNKZOO_PLUGINS`` match no installed plugin."""
    installed = {row.name for row in rows}
    missing = sorted((policy.only or frozenset()) - installed)
    return [f"TRUNKZOO_PLUGINS: no plugin '{name}' is installed.{did_you_mean(name, installed)}" for name in missing]


def _claims() -> list[_Claim]:
    """Entry points of every API version; one that an editable install lists twice counts once."""
    claims: dict[tuple[str, str, str], _Claim] = {}
    installed = metadata.entry_points()
    for group in sorted(group for group in installed.groups if group.startswith(GROUP_PREFIX)):
        for point in installed.select(group=group):
            info = _distribution(point).metadata
            claim = _Claim(point.name, info["Name"], info["Version"], point.group.removeprefix(GROUP_PREFIX), point)
            claims.setdefault((_normal(claim.distribution), point.name, point.group), claim)
    speaks_ours = {(claim.distribution, claim.name) for claim in claims.values() if claim.entry_point.group == GROUP}
    return [
        claim
        for claim in claims.values()
        if claim.entry_point.group == GROUP or (claim.distribution, claim.name) not in speaks_ours
    ]


def _distribution(point: metadata.EntryPoint) -> metadata.Distribution:
    if point.dist is None:
        raise AssertionError(f"entry point {point.name} was not read from a distribution")
    return point.dist


def _settle(name: str, claims: Sequence[_Claim], policy: Policy) -> list[tuple[PluginRow, Records]]:
    """Decide without importing what can be; load the one claim that is left."""
    found: list[tuple[PluginRow, Records]] = []
    ours = [claim for claim in claims if claim.api == str(API_VERSION)]
    for claim in claims:
        status, reason = _verdict(claim, ours, policy)
        row, records = _load(claim) if status == "ok" else (claim.row(status, reason), Records())
        if policy.strict and row.status not in ("ok", "disabled"):
            raise row.error or PluginError(f"plugin '{name}' ({row.distribution}): {row.reason}")
        found.append((row, records))
    return found


def _verdict(claim: _Claim, ours: Sequence[_Claim], policy: Policy) -> tuple[Status, str]:
    if policy.only is not None and claim.name not in policy.only:
        return "disabled", "not in TRUNKZOO_PLUGINS"
    if claim.name in policy.disabled:
        return "disabled", "listed under plugins.disabled in registry.toml"
    if claim.api != str(API_VERSION):
        return "incompatible", f"written for plugin API {claim.api}, this zoo speaks {API_VERSION}; {_upgrade(claim)}"
    if not NAME_RULE.fullmatch(claim.name):
        return "broken", f"plugin name {claim.name!r}: use lower-case letters, digits and single - _ . between them"
    owner = policy.reserved.get(claim.name)
    if owner is not None:
        if _normal(owner) == _normal(claim.distribution):
            return "ok", ""
        return (
            "conflict",
            f"the name '{claim.name}' is reserved for {owner}; rename the entry point of {claim.distribution}",
        )
    rivals = [other.distribution for other in ours if other is not claim]
    if rivals:
        both = " and ".join(sorted([claim.distribution, *rivals]))
        return "conflict", f"{both} both claim the plugin name '{claim.name}', so neither loads; uninstall one"
    return "ok", ""


def _load(claim: _Claim) -> tuple[PluginRow, Records]:
    """Import one plugin and collect its records. What it prints goes to stderr: stdout may be JSON."""
    had_torch = "torch" in sys.modules
    try:
        with contextlib.redirect_stdout(sys.stderr):
            records = load_records(claim.entry_point)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - even SystemExit: whatever a plugin raises is a row, not our end
        return claim.row("broken", one_line(error), error), Records()
    slow = "torch" in sys.modules and not had_torch
    row = claim.row("ok", "imports torch when it is only described; import it inside build()" if slow else "")
    return _with_ids(row, records), records


def _with_ids(row: PluginRow, records: Records) -> PluginRow:
    ids = [tuple(f"{row.name}/{name}" for name in kind) for kind in (records.trunks, records.heads, records.tasks)]
    return replace(row, trunks=ids[0], heads=ids[1], tasks=ids[2])


def one_line(error: BaseException) -> str:
    """Class and first line of the message; ours speak for themselves, so their class is left out."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _upgrade(claim: _Claim) -> str:
    newer = claim.api.isdecimal() and int(claim.api) > API_VERSION
    return "upgrade trunkzoo" if newer else f"upgrade {claim.distribution}"


def _normal(distribution: str) -> str:
    return distribution.lower().replace("_", "-").replace(".", "-")
