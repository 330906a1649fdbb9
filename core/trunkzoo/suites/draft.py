"""A new suite, written into a registry.toml after it was planned: what stands there can be run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trunkzoo.errors import UsageError
from trunkzoo.plugin.config import parse
from trunkzoo.registry.file import packaged_path, read_file
from trunkzoo.registry.registry import Registry, packaged_registry
from trunkzoo.registry.zoo import Zoo
from trunkzoo.suites.config import SuiteConfig
from trunkzoo.suites.plan import SuitePlan
from trunkzoo.suites.planning import plan_suite
from trunkzoo.system.files import new_file, readable_os_errors

HEAD = "format = 1\n"


def parse_arms(given: Sequence[str]) -> list[str | dict[str, str]]:
    """``RECIPE``, ``LABEL=RECIPE`` or ``LABEL=RECIPE+TRUNK`` as arms of a suite.

    Raises:
        UsageError: an entry has an empty part.
    """
    arms: list[str | dict[str, str]] = []
    for text in given:
        label, named, what = text.rpartition("=")
        recipe, swapped, trunk = what.partition("+")
        if not recipe or (named and not label) or (swapped and not trunk):
            raise UsageError(f"arm '{text}': write RECIPE, LABEL=RECIPE or LABEL=RECIPE+TRUNK", ["arms"])
        facts = {"name": label, "recipe": recipe, "trunk": trunk}
        arms.append({key: value for key, value in facts.items() if value} if named or swapped else recipe)
    return arms


def suite_table(name: str, values: Mapping[str, Any]) -> str:
    """The table ``[suites.NAME]`` as TOML; ``values`` are texts, numbers, and lists of texts, numbers or flat tables."""
    lines = [f"[suites.{_key(name)}]"]
    for key, value in values.items():
        tables = isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value)
        inside = "".join(f"  {_toml(entry)},\n" for entry in value) if tables else ""
        lines.append(f"{key} = [\n{inside}]" if tables else f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def add_suite(file: Path, name: str, values: Mapping[str, Any], zoo: Zoo) -> SuitePlan:
    """Append the suite to ``file``, which is made where it is not there, and return its plan.

    Raises:
        UsageError: a suite of that name exists, an arm or the task is not there, or ``file`` is trunkzoo's own.
        ConfigError: a value breaks the schema of suites. The file then stays as it was.
        ContractError: a recipe does not fit the task.
    """
    if file.exists() and file.samefile(packaged_path()):
        raise UsageError(f"{file} is trunkzoo's own; name a registry.toml of yours", ["registry"])
    if name in [entry.name for entry in zoo.registry.entries("suites")]:
        raise UsageError(f"there is a suite '{name}' already; choose another name, or edit it where it stands")
    parse(SuiteConfig, dict(values), f"suites.{name}")
    with readable_os_errors(file):
        before = file.read_text(encoding="utf-8") if file.exists() else HEAD
        with new_file(file) as hidden:
            hidden.write_text(f"{before.rstrip()}\n\n{suite_table(name, values)}", encoding="utf-8")
            registry = Registry((*packaged_registry().files, read_file(hidden, str(file))))
            return plan_suite(name, Zoo(zoo.catalogue, registry), Path("runs") / name)


def _key(name: str) -> str:
    plain = bool(name) and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in name)
    return name if plain else json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    """JSON's texts, numbers, truth values and lists are TOML's too; tables are not."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
