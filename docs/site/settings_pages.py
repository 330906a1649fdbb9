"""What may stand in registry.toml, and the settings of every trunk, head and task: from the models that check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from tables import code, table
from trunkzoo.plugin.settings import settings_of
from trunkzoo.registry import open_zoo
from trunkzoo.registry.file import RegistrySchema
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.vouched import KnownPackage, TrunkFacts
from trunkzoo.suites.config import ArmConfig, ForeignConfig, SlurmConfig, SuiteConfig, SuiteTask

TABLES: list[tuple[str, str, type[BaseModel]]] = [
    (
        "The file",
        "Its tables. Your `registry.toml` lies over ours: in the working directory, or named by `--registry`.",
        RegistrySchema,
    ),
    (
        "`[recipes.NAME]`",
        (
            'A recipe may begin with `extends = "OTHER"` and state what differs. `trunk`, `head` and `task` are tables with a `name` and the '
            "[settings of that part](parts.md). `cond_dim` may be left out: it is the sum that `zoo build` shows."
        ),
        Recipe,
    ),
    (
        "`[suites.NAME]`",
        "Arms and tasks are tables of their own, below; a text in `arms` is the recipe of that name.",
        SuiteConfig,
    ),
    ("An arm of a suite", "", ArmConfig),
    ("What another package trains", "", ForeignConfig),
    ("A task of a suite", "", SuiteTask),
    (
        "`[engines.slurm]`",
        "For `zoo suite run NAME --engine slurm`: see [Beyond one machine](../clusters.md).",
        SlurmConfig,
    ),
    ('`[trunks."plugin/name"]`', "What we vouch for; a test rebuilds each trunk and compares.", TrunkFacts),
    ('`[known."distribution"]`', "", KnownPackage),
]


def write_registry() -> str:
    """Every table of registry.toml."""
    head = (
        "# registry.toml\n\nRecipes, suites and facts. An unknown key, a wrong type or a setting without effect is refused with file, "
        "line and key. `zoo show RECIPE --resolved` prints every value of a recipe and where it was written.\n\n"
    )
    return head + "".join(f"## {title}\n\n{text}\n\n{_settings(model, {})}" for title, text, model in TABLES)


def write_parts() -> str:
    """The settings of every installed trunk, head and task."""
    zoo, parts = open_zoo(), ["# Settings of trunks, heads and tasks\n\n`zoo show NAME` prints these.\n\n"]
    for kind in ("trunk", "head", "task"):
        parts.append(f"## {kind.title()}s\n\n")
        seen: dict[type[BaseModel], str] = {}
        for id, spec in zoo.catalogue.records(kind).items():
            if id.startswith("metaworld/") and spec.config in seen:
                continue  # fifty tasks of one scene's settings
            parts.append(f"### {id}\n\n{spec.summary[0].upper()}{spec.summary[1:]}.\n\n")
            first = seen.setdefault(spec.config, id)
            same = first != id and not spec.defaults
            parts.append(f"Settings as of {first}.\n\n" if same else _settings(spec.config, spec.defaults))
    return "".join(parts)


def _settings(model: type[BaseModel], defaults: Mapping[str, Any]) -> str:
    rows = [
        (code(s.key.replace(".config", ".*")), s.type, _value(s.default), s.description)
        for s in settings_of(model, defaults)
        if (model, s.key) != (Recipe, "name")  # the table's own name
    ]
    return table(("key", "type", "default", "meaning"), rows)


def _value(default: Any) -> str:
    """A default as it would be written in TOML."""
    if default == "required":
        return "required"
    if default is None or default in ((), {}, ""):
        return "–"
    if isinstance(default, BaseModel):
        return ", ".join(f"`{key} = {value}`" for key, value in default.model_dump().items())
    return code(
        str(default).lower()
        if isinstance(default, bool)
        else str(list(default) if isinstance(default, tuple) else default)
    )
