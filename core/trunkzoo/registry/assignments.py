"""Assignments such as ``train.steps=100``: dotted keys with TOML values, read from texts and laid over tables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from trunkzoo.errors import UsageError
from trunkzoo.plain import DEEPEST, check_plain
from trunkzoo.registry.layers import PARTS, Layer, Tree, leaves

KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def parse_assignments(assignments: Iterable[str], label: str = "assignment") -> dict[str, Any]:
    """Read ``key.path=value`` texts; a later assignment of a key wins.

    The value is TOML (``0.1``, ``true``, ``[96, 96]``, ``"text"``); anything that is not TOML is a string as it stands.
    Messages call an assignment ``label``.

    Raises:
        UsageError: there is no ``=``, or the key is not a dotted path.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"{label} {assignment}: no '='; write key.path=value, such as trunk.norm=batch")
        if not KEY.fullmatch(key) or key.count(".") >= DEEPEST:
            raise UsageError(f"{label} {assignment}: '{key}' is no dotted key; write one such as train.steps=100")
        try:
            values[key] = check_plain(_value(value.strip()), finite=False)
        except ValueError as error:
            raise UsageError(f"{label} {key}: {error}; write a plain value") from None
    return values


def overlay(defaults: Mapping[str, Any], assignments: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over nested ``defaults``, by dotted keys (``{"times.logit_mean": 0.0}``)."""
    tree = Tree()
    for path, value in leaves(defaults):
        tree.put(path, value, "default")
    for key, value in assignments.items():
        tree.put(tuple(key.split(".")), value, "assignment")
    return tree.values


def assignment(key: str, value: Any, label: str) -> Layer:
    """One override as a layer over a recipe; UsageError where the key is a whole part. Messages call it ``label``."""
    path = key.split(".")
    if path[0] in PARTS and len(path) == 1:
        raise UsageError(f"{label} {key}: '{key}' is a table; write {key}.name={value}, or {key}.KEY=VALUE")
    nested: Any = value
    for part in reversed(path):
        nested = {part: nested}
    return Layer(nested, lambda _: label)


def _value(text: str) -> Any:
    """TOML where it parses to a plain value, otherwise the text itself (so do dates, which no setting has)."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.get("value")
    return value if len(parsed) == 1 and isinstance(value, bool | int | float | str | list | dict) else text
