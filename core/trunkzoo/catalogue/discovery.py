"""Find plugins by their entry points and load each one alone, so that no plugin's fault reaches another."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Literal

from trunkzoo.catalogue.claims import UNREADABLE, Claim, installed_claims, normal
from trunkzoo.catalogue.guard import contained, strict, watched
from trunkzoo.catalogue.loader import Records, load_records
from trunkzoo.catalogue.trial import fatal
from trunkzoo.errors import PluginError, one_line
from trunkzoo.plugin.hooks import API_VERSION
from trunkzoo.plugin.records import name_fault

Status = Literal["ok", "broken", "incompatible", "disabled", "conflict"]


@dataclass(frozen=True, kw_only=True)
class PluginRow:
    """One installed plugin: its status, and what it ships. ``reason`` is one line, empty when nothing is wrong."""

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
    policies: tuple[str, ...] = ()
    upgrade: str = ""
    """The distribution to upgrade, where plugin and trunkzoo speak different APIs."""
    imports_torch: bool = False
    """Whether describing its records imported torch, which it must not."""
    error: BaseException | None = field(default=None, compare=False, repr=False)

    def offers(self) -> str:
        """What it ships, in words: ``2 trunks, 1 head``."""
        kinds = ((self.trunks, "trunk", "trunks"), (self.heads, "head", "heads"), (self.tasks, "task", "tasks"))
        counts = (*kinds, (self.policies, "policy", "policies"))
        return ", ".join(f"{len(ids)} {one if len(ids) == 1 else many}" for ids, one, many in counts if ids)


@dataclass(frozen=True)
class LoadRules:
    """What decides, before any import, which plugins load."""

    reserved: Mapping[str, str] = field(default_factory=dict)
    """Plugin name → the only distribution that may claim it."""
    disabled: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """Load these alone; None loads all."""
    strict: bool = False
    """Raise the first fault instead of recording it."""


def environment_rules(reserved: Mapping[str, str], disabled: Iterable[str]) -> LoadRules:
    """Add ``TRUNKZOO_PLUGINS`` (names to load, comma-separated; empty loads none) and ``TRUNKZOO_STRICT=1``."""
    limit = os.environ.get("TRUNKZOO_PLUGINS")
    return LoadRules(
        reserved=reserved,
        disabled=frozenset(disabled),
        only=None if limit is None else frozenset(name.strip() for name in limit.split(",") if name.strip()),
        strict=strict(),
    )


def discover(rules: LoadRules) -> list[tuple[PluginRow, Records]]:
    """One row per claim, sorted by plugin name; the records of a plugin whose status is not ``ok`` are empty."""
    by_name: dict[str, list[Claim]] = {}
    for claim in installed_claims():
        by_name.setdefault(claim.name, []).append(claim)
    # decided without importing what can be; of each name one claim is left, which is tried elsewhere, and then loaded
    decided = [(claim, *_verdict(claim, by_name[name], rules)) for name in sorted(by_name) for claim in by_name[name]]
    faults = fatal([claim for claim, status, _ in decided if status == "ok"])
    return [
        _settle(claim, "broken" if claim in faults else status, faults.get(claim, reason), rules)
        for claim, status, reason in decided
    ]


def _settle(claim: Claim, status: Status, reason: str, rules: LoadRules) -> tuple[PluginRow, Records]:
    row, records = _load(claim) if status == "ok" else (_row(claim, status, reason), Records())
    if rules.strict and row.status not in ("ok", "disabled"):
        raise row.error or PluginError(f"plugin '{row.name}' ({row.distribution}): {row.reason}")
    return row, records


def _verdict(claim: Claim, same_name: Sequence[Claim], rules: LoadRules) -> tuple[Status, str]:
    # in this order: what is switched off is not judged, and the owner of a reserved name has no rivals
    if rules.only is not None and claim.name not in rules.only:
        return "disabled", "not in TRUNKZOO_PLUGINS"
    if claim.name in rules.disabled:
        return "disabled", "listed under plugins.disabled in registry.toml"
    if claim.api == UNREADABLE:
        return "broken", f"entry_points.txt of {claim.distribution} cannot be parsed; reinstall it"
    if not claim.ours:
        return (
            "incompatible",
            f"written for plugin API {claim.api}, this zoo speaks {API_VERSION}; upgrade {_upgrade(claim)}",
        )
    if fault := name_fault("plugin", claim.name):
        return "broken", fault
    owner = rules.reserved.get(claim.name)
    if owner is not None:
        if normal(owner) == normal(claim.distribution):
            return "ok", ""
        return (
            "conflict",
            f"the name '{claim.name}' is reserved for {owner}; rename the entry point of {claim.distribution}",
        )
    rivals = [other.distribution for other in same_name if other.ours and other is not claim]
    if rivals:
        both = " and ".join(sorted([claim.distribution, *rivals]))
        return "conflict", f"{both} both claim the plugin name '{claim.name}', so neither loads; uninstall one"
    return "ok", ""


def _load(claim: Claim) -> tuple[PluginRow, Records]:
    """Import one plugin and collect its records. What it prints goes to stderr: stdout may be JSON."""
    had_torch = "torch" in sys.modules  # of an earlier plugin, or of the caller: then nothing can be told
    try:
        with contained(), watched(claim.title):
            records = load_records(_entry_point(claim))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - even SystemExit: whatever a plugin raises is a row, not our end
        return _row(claim, "broken", one_line(error), error), Records()
    slow = "torch" in sys.modules and not had_torch
    row = _row(claim, "ok", "imports torch when it is only described; import it inside build()" if slow else "")
    return _with_ids(replace(row, imports_torch=slow), records), records


def _with_ids(row: PluginRow, records: Records) -> PluginRow:
    kinds = (records.trunks, records.heads, records.tasks, records.policies)
    trunks, heads, tasks, policies = (tuple(f"{row.name}/{name}" for name in kind) for kind in kinds)
    return replace(row, trunks=trunks, heads=heads, tasks=tasks, policies=policies)


def _entry_point(claim: Claim) -> metadata.EntryPoint:
    if claim.entry_point is None:
        raise AssertionError(f"{claim.name} has a verdict without an entry point")
    return claim.entry_point


def _upgrade(claim: Claim) -> str:
    """The older side of two API versions: the distribution to upgrade."""
    newer = claim.api.isdecimal() and int(claim.api) > API_VERSION
    return "trunkzoo" if newer else claim.distribution


def _row(claim: Claim, status: Status, reason: str = "", error: BaseException | None = None) -> PluginRow:
    return PluginRow(
        name=claim.name,
        distribution=claim.distribution,
        version=claim.version,
        api=claim.api,
        target=claim.entry_point.value if claim.entry_point else "",
        status=status,
        reason=reason,
        upgrade=_upgrade(claim) if status == "incompatible" else "",
        error=error,
    )
