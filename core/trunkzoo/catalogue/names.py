"""The registry's rules about names of plugins and records: reserved, aliased, preferred, renamed, disabled."""

from __future__ import annotations

from pydantic import Field

from trunkzoo.plugin.config import Config


class NameTables(Config):
    """The rules about names that registry.toml states as tables of its own."""

    reserved: dict[str, str] = Field(default={}, description="plugin name → the only distribution that may claim it")
    aliases: dict[str, str] = Field(default={}, description="alias → id or short name")
    prefer: dict[str, str] = Field(default={}, description="short name → the id it means when several plugins have it")
    renamed: dict[str, str] = Field(default={}, description="former name → new id")


class NameRules(NameTables):
    """Rules about plugin, trunk, head and task names; an empty set of rules changes nothing."""

    disabled: tuple[str, ...] = Field(default=(), description="plugins that are never imported")
    known: dict[str, str] = Field(default={}, description="plugin name → distribution, of third parties we have seen")

    def distribution_of(self, plugin: str) -> str | None:
        """The distribution to install for ``plugin``, as far as the registry knows."""
        return self.reserved.get(plugin) or self.known.get(plugin)
