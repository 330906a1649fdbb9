"""The catalogue: every trunk, head and task that is installed, and how a name finds one of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.catalogue.names import NameRules
from trunkzoo.errors import UsageError, did_you_mean
from trunkzoo.plugin.records import AnySpec, HeadSpec, TaskSpec, TrunkSpec

SpecT = TypeVar("SpecT", TrunkSpec[Any], HeadSpec[Any], TaskSpec[Any])
Kind = Literal["trunk", "head", "task"]
KINDS: tuple[Kind, ...] = ("trunk", "head", "task")


@dataclass(frozen=True)
class Found(Generic[SpecT]):
    """A record with its full name ``plugin/name`` and the plugin that ships it."""

    id: str
    spec: SpecT
    plugin_row: PluginRow


@dataclass(frozen=True)
class Catalogue:
    """Everything that plugins describe. Reading it imports no torch."""

    plugins: tuple[PluginRow, ...]
    trunks: Mapping[str, TrunkSpec[Any]]
    heads: Mapping[str, HeadSpec[Any]]
    tasks: Mapping[str, TaskSpec[Any]]
    names: NameRules = field(default_factory=NameRules)
    notes: tuple[str, ...] = ()
    """What the user should hear about: one line each."""

    def trunk(self, name: str) -> Found[TrunkSpec[Any]]:
        """Find a trunk by id, unique short name, alias or former name; raises UsageError with the nearest name."""
        return self._find("trunk", self.trunks, name)

    def head(self, name: str) -> Found[HeadSpec[Any]]:
        """Find a head; see :meth:`trunk`."""
        return self._find("head", self.heads, name)

    def task(self, name: str) -> Found[TaskSpec[Any]]:
        """Find a task; see :meth:`trunk`."""
        return self._find("task", self.tasks, name)

    def records(self, kind: Kind) -> Mapping[str, AnySpec]:
        """The records of one kind, by id."""
        by_kind: dict[Kind, Mapping[str, AnySpec]] = {"trunk": self.trunks, "head": self.heads, "task": self.tasks}
        return by_kind[kind]

    def everything(self) -> Iterator[tuple[Kind, str, AnySpec]]:
        """Every record as (kind, id, spec)."""
        for kind in KINDS:
            for id, spec in self.records(kind).items():
                yield kind, id, spec

    def plugin_of(self, id: str) -> PluginRow:
        """The row of the plugin that ships ``id``."""
        plugin = id.partition("/")[0]
        return next(row for row in self.plugins if row.name == plugin and row.status == "ok")

    def _find(self, kind: Kind, records: Mapping[str, SpecT], name: str) -> Found[SpecT]:
        id = self._resolve(kind, records, name)
        return Found(id, records[id], self.plugin_of(id))

    def _resolve(self, kind: Kind, records: Mapping[str, SpecT], name: str) -> str:
        if name in records:
            return name
        target = self._follow(name)
        if target in records:
            return target
        matches = [id for id in records if id.partition("/")[2] == target]
        if len(matches) == 1:
            return matches[0]
        preferred = self.names.prefer.get(target)
        if preferred in matches:
            return str(preferred)
        if matches:
            raise UsageError(f"{kind} '{name}' is ambiguous: {', '.join(sorted(matches))}; give the full name")
        raise UsageError(self._unknown(kind, records, name, target))

    def _follow(self, name: str) -> str:
        """Replace an alias by its target, and a former name, with a warning, by the new one."""
        target = self.names.aliases.get(name, name)
        renamed = self.names.renamed.get(target)
        if renamed is None:
            return target
        warnings.warn(f"'{target}' is now called '{renamed}'; use the new name", FutureWarning, stacklevel=5)
        return renamed

    def _unknown(self, kind: Kind, records: Mapping[str, SpecT], name: str, target: str) -> str:
        other = [k for k in KINDS if k != kind and any(target in (id, id.partition("/")[2]) for id in self.records(k))]
        if other:
            return f"'{name}' is a {other[0]}, not a {kind}"
        known = [*records, *(id.partition("/")[2] for id in records), *self.names.aliases]
        meant = f"'{name}'" if target == name else f"'{name}' (= '{target}')"
        return f"unknown {kind} {meant}.{did_you_mean(target, known)}{self.absence(target)} `zoo list` shows all"

    def absence(self, name: str) -> str:
        """Which plugins could have shipped ``name`` but did not load, or are not installed: sentences, or nothing."""
        plugin = name.partition("/")[0]
        distribution = self.names.distribution_of(plugin)
        if "/" in name and distribution and all(row.name != plugin for row in self.plugins):
            return f" Plugin '{plugin}' is not installed: pip install {distribution}."
        failed = [row for row in self.plugins if row.status != "ok"]
        mine = [row for row in failed if row.name == plugin]
        if mine:
            return f" Plugin '{plugin}' is {mine[0].status}: {mine[0].reason}."
        return f" Not loaded: {', '.join(row.name for row in failed)} (`zoo doctor` says why)." if failed else ""
