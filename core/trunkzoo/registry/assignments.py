"""``--set a.b=c``: one assignment of the command line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from trunkzoo.errors import UsageError
from trunkzoo.registry.layers import PARTS, Layer, Tree, leaves

KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Read ``key.path=value`` texts; a later assignment of a key wins.

    The value is TOML (``0.1``, ``true``, ``[96, 96]``, ``"text"``); anything that is not TOML is a string as it stands.

    Raises:
        UsageError: there is no ``=``, or the key is not a dotted path.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--set {assignment}: no '='; write --set key.path=value, such as --set trunk.norm=batch")
        if not KEY.fullmatch(key):
            raise UsageError(f"--set {assignment}: '{key}' is no dotted key; write --set train.steps=100")
        values[key] = _value(value.strip())
    return values


def laid_over(defaults: Mapping[str, Any], assignments: Mapping[str, Any]) -> dict[str, Any]:
    """Nested ``defaults`` with values under dotted keys (``{"times.logit_mean": 0.0}``) over them."""
    tree = Tree()
    for path, value in leaves(defaults):
        tree.put(path, value, "default")
    for key, value in assignments.items():
        tree.put(tuple(key.split(".")), value, "--set")
    return tree.values


def assignment(key: str, value: Any) -> Layer:
    """One ``--set`` as a layer over a recipe; UsageError where the key is a whole part."""
    path = key.split(".")
    if path[0] in PARTS and len(path) == 1:
        raise UsageError(f"--set {key}: '{key}' is a table; write --set {key}.name={value}, or --set {key}.KEY=VALUE")
    nested: Any = value
    for part in reversed(path):
        nested = {part: nested}
    return Layer(nested, lambda _: "--set")


def _value(text: str) -> Any:
    """TOML where it parses to a plain value, otherwise the text itself (so do dates, which no setting has)."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.get("value")
    return value if len(parsed) == 1 and isinstance(value, bool | int | float | str | list | dict) else text
