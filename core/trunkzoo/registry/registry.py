"""registry.toml: what we vouch for, and the recipes and suites that have a name.

Ours is laid under the user's. It loads no plugin: :class:`Zoo` finds the parts of a recipe in the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from trunkzoo.catalogue.names import NameRules, NameTables
from trunkzoo.errors import ConfigError, UsageError, did_you_mean
from trunkzoo.plugin.config import ConfigT, parse
from trunkzoo.registry.assignments import assignment
from trunkzoo.registry.file import RegistryFile, packaged_path, read_file, user_path
from trunkzoo.registry.layers import Labels, Layer, Tree
from trunkzoo.registry.toml_lines import KeyPath
from trunkzoo.registry.vouched import KnownPackage, TrunkFacts

RegistrySection = Literal["recipes", "suites"]
LABELS = Labels()


@dataclass(frozen=True)
class Entry:
    """A named table of the registry, as lists show it."""

    name: str
    summary: str
    file: str


@dataclass(frozen=True)
class Registry:
    """One or two registry files, the later over the earlier."""

    files: tuple[RegistryFile, ...]

    @cached_property
    def names(self) -> NameRules:
        """The rules about names."""
        contents = [file.content for file in self.files]
        return NameRules(
            **{name: _merged([getattr(content, name) for content in contents]) for name in NameTables.model_fields},
            disabled=tuple(dict.fromkeys(name for content in contents for name in content.plugins.disabled)),
            known={str(known.get("plugin")): dist for content in contents for dist, known in content.known.items()},
        )

    @property
    def trunks(self) -> Mapping[str, TrunkFacts]:
        """Facts per trunk id.

        Raises:
            ConfigError: a fact is missing, unknown or of the wrong type.
        """
        return self._tables("trunks", TrunkFacts)

    @property
    def known(self) -> Mapping[str, KnownPackage]:
        """Third-party packages that we have seen to work, by distribution; raises as :attr:`trunks` does."""
        return self._tables("known", KnownPackage)

    def _tables(self, section: str, model: type[ConfigT]) -> dict[str, ConfigT]:
        tables: dict[str, ConfigT] = {}
        for file in self.files:
            for name, table in getattr(file.content, section).items():
                tables[name] = parse(model, table, f"{section}.{name}", file.locate((section, name)))
        return tables

    def entries(self, section: RegistrySection) -> list[Entry]:
        """Name and summary of every recipe or suite, in the order of the files."""
        found: dict[str, Entry] = {}
        for file in self.files:
            for name, table in getattr(file.content, section).items():
                inherited = found[name].summary if name in found else ""
                found[name] = Entry(name, str(table.get("summary", inherited)), file.label)
        return list(found.values())

    def recipe_names(self) -> list[str]:
        """Every recipe, in the order of the files."""
        return [entry.name for entry in self.entries("recipes")]

    def recipe(self, name: str, overrides: Mapping[str, Any], trunk: str | None, labels: Labels = LABELS) -> Tree:
        """The values of recipe ``name`` with inheritance, the user's file, ``trunk`` and ``overrides`` applied.

        ``trunk`` replaces the trunk, with that trunk's own defaults; ``overrides`` are dotted keys
        (``{"trunk.norm": "batch"}``), applied last.

        Raises:
            UsageError: there is no such recipe, or an override names a table.
        """
        tree = self.tree("recipes", name)
        if trunk is not None:
            tree.drop(("trunk",))  # the other trunk's settings would not fit this one
            tree.put(("trunk", "name"), trunk, labels.trunk)
        # last: what is asked for in a call wins over every file
        for key, value in overrides.items():
            tree.lay(assignment(key, value, labels.override))
        return tree

    def suite(self, name: str) -> dict[str, Any]:
        """The table of suite ``name`` with inheritance and the user's file applied."""
        return self.tree("suites", name).values

    @property
    def slurm(self) -> dict[str, Any]:
        """The table ``[engines.slurm]``, the user's values over ours."""
        return _merged([file.content.engines.slurm for file in self.files])

    def tree(self, section: RegistrySection, name: str) -> Tree:
        """The values of one recipe or suite with their origins: its ancestors first, ours before the user's."""
        tree = Tree()
        # the user's file after ours at every ancestor: a change to a parent reaches all its children
        for ancestor in self._lineage(section, name):
            for file in self.files:
                table = getattr(file.content, section).get(ancestor)
                if table is not None:
                    _check_extends(file, (section, ancestor), table)
                    tree.lay(_table(file, (section, ancestor), table))
        tree.drop(("extends",))
        return tree

    def _lineage(self, section: RegistrySection, name: str) -> list[str]:
        """``name`` and what it extends, the oldest first."""
        known = [entry.name for entry in self.entries(section)]
        line: list[str] = []
        parent: Any = name
        while parent is not None:
            if parent in line:
                raise UsageError(f"{section}: '{name}' extends itself: {' → '.join([*line, parent])}")
            if parent not in known:
                raise UsageError(_unknown(section, parent, line[-1] if line else None, known))
            line.append(parent)
            parent = self._parent(section, parent)
        return line[::-1]

    def _parent(self, section: RegistrySection, name: str) -> Any:
        tables = [getattr(file.content, section).get(name, {}) for file in self.files]
        return next((table["extends"] for table in reversed(tables) if "extends" in table), None)


def load_registry(path: Path | str | None = None) -> Registry:
    """Our registry.toml with the user's over it: ``path``, else ``$TRUNKZOO_REGISTRY``, else ``./registry.toml``.

    Raises:
        UsageError: the file that was named cannot be read.
        ConfigError: it breaks the schema; with file, line and key.
    """
    user = user_path(Path(path) if path is not None else None)
    ours = packaged_registry()
    return ours if user is None else Registry((*ours.files, read_file(user)))


def packaged_registry() -> Registry:
    """Our registry.toml alone."""
    return Registry((read_file(packaged_path(), "trunkzoo's registry.toml"),))


def _merged(tables: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for table in tables for key, value in table.items()}


def _table(file: RegistryFile, above: KeyPath, table: Mapping[str, Any]) -> Layer:
    return Layer(table, lambda path: file.place((*above, *path)))


def _check_extends(file: RegistryFile, above: KeyPath, table: Mapping[str, Any]) -> None:
    """A misspelt ``extends`` hides behind all that was not inherited, so it is told alone.

    Raises:
        ConfigError: a key is nearly that word.
    """
    for key in table:
        if key != "extends" and get_close_matches(key, ["extends"], cutoff=0.8):
            raise ConfigError(
                f"{file.place((*above, key))}: {'.'.join((*above, key))}: unknown key. Did you mean 'extends'?"
            )


def _unknown(section: RegistrySection, name: Any, child: str | None, known: list[str]) -> str:
    kind = section.removesuffix("s")
    parent = f"{kind} '{child}' extends an unknown {kind}" if child else f"unknown {kind}"
    return f"{parent} '{name}'.{did_you_mean(str(name), known)} `zoo list` shows all"
