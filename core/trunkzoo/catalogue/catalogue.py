"""The catalogue: every trunk, head, task and policy that is installed, and how a name finds one of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from trunkzoo.catalogue.discovery import PluginRow, discover, environment_rules
from trunkzoo.catalogue.names import NameRules
from trunkzoo.catalogue.part import KINDS, Configured, Found, Part, RecordKind, SpecT
from trunkzoo.errors import UsageError, did_you_mean, install_command
from trunkzoo.plugin.config import Locate, nowhere, parse
from trunkzoo.plugin.records import AnySpec, HeadSpec, PolicySpec, TaskSpec, TrunkSpec


@dataclass(frozen=True)
class Catalogue:
    """Everything that plugins describe. Reading it imports no torch."""

    plugins: tuple[PluginRow, ...]
    trunks: Mapping[str, TrunkSpec[Any]]
    heads: Mapping[str, HeadSpec[Any]]
    tasks: Mapping[str, TaskSpec[Any]]
    names: NameRules = field(default_factory=NameRules)
    policies: Mapping[str, PolicySpec[Any]] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    """Names in ``TRUNKZOO_PLUGINS`` that no installed plugin has."""

    def trunk(self, name: str) -> Found[TrunkSpec[Any]]:
        """Find a trunk by id, unique short name, alias or former name; raises UsageError with the nearest name."""
        return self._find("trunk", self.trunks, name)

    def head(self, name: str) -> Found[HeadSpec[Any]]:
        """Find a head; see :meth:`trunk`."""
        return self._find("head", self.heads, name)

    def task(self, name: str) -> Found[TaskSpec[Any]]:
        """Find a task; see :meth:`trunk`."""
        return self._find("task", self.tasks, name)

    def policy(self, name: str) -> Found[PolicySpec[Any]]:
        """Find a policy; see :meth:`trunk`."""
        return self._find("policy", self.policies, name)

    @overload
    def configure(self, kind: Literal["trunk"], part: Part, locate: Locate = nowhere) -> Configured[TrunkSpec[Any]]: ...
    @overload
    def configure(self, kind: Literal["head"], part: Part, locate: Locate = nowhere) -> Configured[HeadSpec[Any]]: ...
    @overload
    def configure(self, kind: Literal["task"], part: Part, locate: Locate = nowhere) -> Configured[TaskSpec[Any]]: ...
    @overload
    def configure(
        self, kind: Literal["policy"], part: Part, locate: Locate = nowhere
    ) -> Configured[PolicySpec[Any]]: ...
    def configure(self, kind: RecordKind, part: Part, locate: Locate = nowhere) -> Configured[Any]:
        """The record that a part names, with the part's settings over the record's defaults.

        ``locate`` says where a setting was written, for messages.

        Raises:
            UsageError: no record has that name.
            ConfigError: a setting breaks the record's schema.
        """
        found = self.find(kind, part.name)
        settings = {**found.spec.defaults, **part.config}
        config = parse(found.spec.config, settings, kind, lambda *paths: locate(*((kind, *path) for path in paths)))
        return Configured(kind, found.id, found.spec, found.plugin, config)

    def find(self, kind: RecordKind, name: str) -> Found[Any]:
        """Find a record of any kind; see :meth:`trunk`."""
        find: dict[RecordKind, Callable[[str], Found[Any]]] = {
            "trunk": self.trunk,
            "head": self.head,
            "task": self.task,
            "policy": self.policy,
        }
        return find[kind](name)

    def records(self, kind: RecordKind) -> Mapping[str, AnySpec]:
        """The records of one kind, by id."""
        by_kind: dict[RecordKind, Mapping[str, AnySpec]] = {
            "trunk": self.trunks,
            "head": self.heads,
            "task": self.tasks,
            "policy": self.policies,
        }
        return by_kind[kind]

    def everything(self) -> Iterator[tuple[RecordKind, str, AnySpec]]:
        """Every record as (kind, id, spec)."""
        for kind in KINDS:
            for id, spec in self.records(kind).items():
                yield kind, id, spec

    def called(self, name: str) -> list[tuple[RecordKind, str, AnySpec]]:
        """Every record whose id or short name is ``name``, of any kind and plugin."""
        return [record for record in self.everything() if name in (record[1], record[1].partition("/")[2])]

    def chosen(self, name: str) -> list[tuple[RecordKind, str, AnySpec]]:
        """What ``name`` means to a person: a plugin (all its records), an id, or a record's short name or alias.

        Raises:
            UsageError: nothing, or several records, have that name.
        """
        everything = list(self.everything())
        mine = [record for record in everything if record[1].partition("/")[0] == name]
        if mine:
            return mine
        exact = self.called(name)
        if len(exact) == 1:
            return exact
        if exact:
            return [self._preferred(name, exact)]
        if name in self.names.aliases or name in self.names.renamed:
            target = self._follow(name)
            kinds = [kind for kind, id, _ in everything if target in (id, id.partition("/")[2])]
            found = self.find(kinds[0] if kinds else "trunk", name)  # or the error that says it is unknown
            return [(found.kind, found.id, found.spec)]
        known = {part for _, id, _ in everything for part in (id, *id.split("/"))}
        raise UsageError(
            f"no plugin, trunk, head, task or policy '{name}'.{did_you_mean(name, sorted(known))}{self.why_absent(name)} "
            "`zoo list` shows all"
        )

    def _preferred(self, name: str, found: list[tuple[RecordKind, str, AnySpec]]) -> tuple[RecordKind, str, AnySpec]:
        """The one of several records of a short name that the registry prefers.

        Raises:
            UsageError: it prefers none; the message lists them all.
        """
        for record in found:
            if record[1] == self.names.prefer.get(name):
                return record
        raise UsageError(ambiguous(name, found))

    def notes(self) -> list[str]:
        """What the user should hear about, one line each: limits without effect, plugins that did not load."""
        failed = [f"{row.name} ({row.status})" for row in self.plugins if row.status not in ("ok", "disabled")]
        more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
        absent = [f"not loaded: {', '.join(failed[:4])}{more}; `zoo doctor` says why"] if failed else []
        return [*self.limit_notes(), *absent]

    def limit_notes(self) -> list[str]:
        """One line for each name of ``TRUNKZOO_PLUGINS`` that no installed plugin has."""
        installed = {row.name for row in self.plugins}
        return [
            f"TRUNKZOO_PLUGINS: no plugin '{name}' is installed.{did_you_mean(name, installed)}"
            for name in self.unmatched
        ]

    def plugin_of(self, id: str) -> PluginRow:
        """The row of the plugin that ships ``id``."""
        plugin = id.partition("/")[0]
        return next(row for row in self.plugins if row.name == plugin and row.status == "ok")

    def _find(self, kind: RecordKind, records: Mapping[str, SpecT], name: str) -> Found[SpecT]:
        id = self._resolve(kind, records, name)
        return Found(kind, id, records[id], self.plugin_of(id))

    def _resolve(self, kind: RecordKind, records: Mapping[str, SpecT], name: str) -> str:
        if name in records:
            return name
        target = self._follow(name)
        if target in records:
            return target
        matches = [id for id in records if id.partition("/")[2] == target]
        if len(matches) == 1:  # a short name works while it is unique
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
        # at the level of whoever asked for the name
        warnings.warn(f"'{target}' is now called '{renamed}'; use the new name", FutureWarning, stacklevel=5)
        return renamed

    def _unknown(self, kind: RecordKind, records: Mapping[str, SpecT], name: str, target: str) -> str:
        other = [k for k in KINDS if k != kind and any(target in (id, id.partition("/")[2]) for id in self.records(k))]
        if other:
            return f"'{name}' is a {other[0]}, not a {kind}"
        known = [*records, *(id.partition("/")[2] for id in records), *self.names.aliases]
        meant = f"'{name}'" if target == name else f"'{name}' (= '{target}')"
        return f"unknown {kind} {meant}.{did_you_mean(target, known)}{self.why_absent(target)} `zoo list` shows all"

    def why_absent(self, name: str) -> str:
        """Which plugins could have shipped ``name`` but did not load, or are not installed: sentences, or nothing."""
        plugin = name.partition("/")[0]
        distribution = self.names.distribution_of(plugin)
        if "/" in name and distribution and all(row.name != plugin for row in self.plugins):
            return f" Plugin '{plugin}' is not installed: {install_command(distribution)}."
        failed = [row for row in self.plugins if row.status != "ok"]
        mine = [row for row in failed if row.name == plugin]
        if mine:
            return f" Plugin '{plugin}' is {mine[0].status}: {mine[0].reason}."
        return f" Not loaded: {', '.join(row.name for row in failed)} (`zoo doctor` says why)." if failed else ""


def ambiguous(name: str, records: Sequence[tuple[RecordKind, str, AnySpec]]) -> str:
    """The line that asks which of several records is meant."""
    listed = ", ".join(sorted({f"{id} ({kind})" for kind, id, _ in records}))
    return f"'{name}' is ambiguous: {listed}; give the full name"


def load_catalogue(names: NameRules) -> Catalogue:
    """Find and load every plugin under the registry's rules about names; no fault of a plugin stops it."""
    rules = environment_rules(names.reserved, names.disabled)
    found = discover(rules)
    rows = tuple(row for row, _ in found)
    return Catalogue(
        plugins=rows,
        trunks={f"{row.name}/{name}": spec for row, records in found for name, spec in records.trunks.items()},
        heads={f"{row.name}/{name}": spec for row, records in found for name, spec in records.heads.items()},
        tasks={f"{row.name}/{name}": spec for row, records in found for name, spec in records.tasks.items()},
        policies={f"{row.name}/{name}": spec for row, records in found for name, spec in records.policies.items()},
        names=names,
        unmatched=tuple(sorted((rules.only or frozenset()) - {row.name for row in rows})),
    )
