"""Tables of settings laid over each other, every value with its origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from trunkzoo.registry.toml_lines import KeyPath

PARTS = ("trunk", "head", "task")


class Labels(NamedTuple):
    """How origins and messages call the values that stand in no file: the CLI has its options for them."""

    override: str = "override"
    trunk: str = "trunk"


@dataclass(frozen=True)
class Layer:
    """A table of values, and a function from a path in it to the place where it was written."""

    values: Mapping[str, Any]
    origin: Callable[[KeyPath], str]


@dataclass
class Tree:
    """The result of laying layers over each other: nested values, and the origin of every leaf, the last laid last."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)

    def lay(self, layer: Layer) -> None:
        """Lay ``layer`` over what is there. A part that changes its name starts anew: its old settings go."""
        for part in PARTS:
            new, old = layer.values.get(part), self.values.get(part)
            if (
                isinstance(new, Mapping)
                and isinstance(old, Mapping)
                and new.get("name", old.get("name")) != old.get("name")
            ):
                self.drop((part,))
        for path, value in leaves(layer.values):
            self.put(path, value, layer.origin(path))

    def put(self, path: KeyPath, value: Any, origin: str) -> None:
        """Set one leaf; a value that stood in the way of the path is replaced."""
        self.drop(path)
        table = self.values
        for i, key in enumerate(path[:-1]):
            if not isinstance(table.get(key), dict):
                self.drop(path[: i + 1])
                table[key] = {}
            table = table[key]
        table[path[-1]] = deepcopy(value)  # the tree writes into its tables, and the layer's are not its own
        self.origins[path] = origin

    def drop(self, path: KeyPath) -> None:
        """Remove whatever is at ``path`` and below."""
        table: Any = self.values
        for key in path[:-1]:
            table = table.get(key)
            if not isinstance(table, dict):
                return
        table.pop(path[-1], None)
        self.origins = {known: origin for known, origin in self.origins.items() if known[: len(path)] != path}

    def leaves(self) -> Iterator[tuple[KeyPath, Any]]:
        """Every value with its path."""
        return leaves(self.values)

    def origin(self, *paths: KeyPath) -> str:
        """Where the value at a path, or the nearest one above or below it, was laid; of several the one laid last."""
        order = {known: number for number, known in enumerate(self.origins)}
        found = [known for path in paths for known in self._nearest(path)]
        return self.origins[max(found, key=order.__getitem__)] if found else ""

    def _nearest(self, path: KeyPath) -> list[KeyPath]:
        """The path itself or the next above it, else all below it."""
        above = [path[:end] for end in range(len(path), 0, -1) if path[:end] in self.origins]
        return above[:1] or [known for known in self.origins if known[: len(path)] == path]


def leaves(values: Mapping[str, Any], above: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is not a table with something in it, with its path."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value
