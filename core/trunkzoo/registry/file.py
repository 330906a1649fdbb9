"""One registry.toml: its schema, and where it is found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from trunkzoo.catalogue.names import NameTables
from trunkzoo.errors import UsageError, ZooError
from trunkzoo.plugin.config import Config, Locate, parse
from trunkzoo.registry.toml_lines import key_lines, line_of, read_toml

ENVIRONMENT = "TRUNKZOO_REGISTRY"


class PluginRules(Config):
    """``[plugins]``."""

    disabled: tuple[str, ...] = Field(default=(), description="plugins that are never imported")


class EngineTables(Config):
    """``[engines]``."""

    slurm: dict[str, Any] = Field(default={}, description="what jobs of a suite ask SLURM for")


class RegistrySchema(NameTables):
    """The whole file. The tables of trunks, recipes, suites, engines and known packages are validated when they are asked for."""

    format: Literal[1] = Field(description="format number of this file")
    plugins: PluginRules = PluginRules()
    trunks: dict[str, dict[str, Any]] = Field(default={}, description="facts per trunk id")
    recipes: dict[str, dict[str, Any]] = Field(default={}, description="recipes by name")
    suites: dict[str, dict[str, Any]] = Field(default={}, description="suites by name")
    engines: EngineTables = EngineTables()
    known: dict[str, dict[str, Any]] = Field(default={}, description="third-party distributions we have seen to work")


@dataclass(frozen=True)
class RegistryFile:
    """A registry.toml that was read and validated."""

    label: str
    """How messages call it."""
    text: str
    content: RegistrySchema

    @cached_property
    def lines(self) -> dict[tuple[str, ...], int]:
        """Line of every key."""
        return key_lines(self.text)

    def place(self, path: tuple[str, ...]) -> str:
        """``registry.toml:12`` for the key at ``path``."""
        line = line_of(self.lines, path)
        return f"{self.label}:{line}" if line else self.label

    def locate(self, above: tuple[str, ...]) -> Locate:
        """Where messages find the values of the table ``above``."""
        return lambda *paths: f"{self.place((*above, *paths[-1]))}: "


def read_file(path: Path, label: str | None = None) -> RegistryFile:
    """Read one registry.toml; messages call it ``label``.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it is no TOML or breaks the schema; with file, line and key.
    """
    label = label or str(path)
    try:
        text = path.read_bytes().decode().replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(f"cannot read the registry {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"registry {path} is not UTF-8 text (byte {error.start})") from None
    values = read_toml(text, label)

    def locate(*keys: tuple[str, ...]) -> str:
        line = line_of(key_lines(text), keys[-1])
        return f"{label}:{line}: " if line else f"{label}: "

    return RegistryFile(label, text, parse(RegistrySchema, values, "", locate))


def packaged_path() -> Path:
    """Our own registry.toml: beside the package in a wheel, at the repository's root in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for path in (package / "registry.toml", package.parents[1] / "registry.toml"):
        if path.is_file():
            return path
    raise ZooError(f"trunkzoo's registry.toml is missing beside {package}; reinstall trunkzoo")


def user_path(explicit: Path | None) -> Path | None:
    """The user's registry: the one named, else ``$TRUNKZOO_REGISTRY``, else ``./registry.toml`` if it is not ours."""
    named = explicit or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if named is not None:
        return named
    # in a checkout ./registry.toml is ours, and laying it over itself would only move the origins
    here = Path("registry.toml")
    return here if here.is_file() and not here.samefile(packaged_path()) else None
