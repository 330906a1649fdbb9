"""What the shell proposes for names: read from registry and plugins, without torch; silence where that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkzoo.registry import RegistrySection, Zoo


def complete_recipe(incomplete: str) -> list[str]:
    """Recipes."""
    return _proposals(incomplete, lambda zoo: _named(zoo, "recipes"))


def complete_suite(incomplete: str) -> list[str]:
    """Suites."""
    return _proposals(incomplete, lambda zoo: _named(zoo, "suites"))


def complete_trunk(incomplete: str) -> list[str]:
    """Trunks, by their full and short names."""
    return _proposals(incomplete, lambda zoo: _both(zoo.catalogue.trunks))


def complete_task(incomplete: str) -> list[str]:
    """Tasks, by their full and short names."""
    return _proposals(incomplete, lambda zoo: _both(zoo.catalogue.tasks))


def complete_policy(incomplete: str) -> list[str]:
    """What may act: an agent, the references, and policies of plugins."""
    return _proposals(incomplete, _policies)


def complete_record(incomplete: str) -> list[str]:
    """Plugins and everything that they ship."""
    return _proposals(incomplete, _records)


def complete_any(incomplete: str) -> list[str]:
    """Whatever `zoo show` shows."""
    return sorted({*complete_record(incomplete), *complete_recipe(incomplete), *complete_suite(incomplete)})


def complete_pattern(incomplete: str) -> list[str]:
    """What `zoo list` filters by: plugins, as the beginning of their records' names, and every full name."""

    def names(zoo: Zoo) -> Iterable[str]:
        ids = [id for _, id, _ in zoo.catalogue.everything()]
        return [*(f"{id.partition('/')[0]}/" for id in ids), *ids, *_named(zoo, "recipes"), *_named(zoo, "suites")]

    return _proposals(incomplete, names)


def complete_run(incomplete: str) -> list[str]:
    """Run directories: those in ``runs``, and those beside what is typed."""
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent) if incomplete else Path()
    places = [*folder.glob("*/run.json"), *Path("runs").glob("*/run.json")]
    return sorted({str(path.parent) for path in places if str(path.parent).startswith(incomplete)})


def complete_recipe_or_run(incomplete: str) -> list[str]:
    """What `zoo train` takes: a recipe, or with --resume a run."""
    return [*complete_recipe(incomplete), *complete_run(incomplete)]


def _named(zoo: Zoo, section: RegistrySection) -> list[str]:
    return [entry.name for entry in zoo.usable.entries(section)]


def _records(zoo: Zoo) -> Iterable[str]:
    plugins = [row.name for row in zoo.catalogue.plugins if row.status == "ok"]
    return [*plugins, *(name for _, id, _ in zoo.catalogue.everything() for name in _both([id]))]


def _policies(zoo: Zoo) -> Iterable[str]:
    from trunkzoo.rollouts.named import AGENTS
    from trunkzoo.rollouts.references import REFERENCES

    return [*AGENTS, *REFERENCES, *_both(zoo.catalogue.policies)]


def _both(ids: Iterable[str]) -> list[str]:
    return [name for id in ids for name in (id, id.partition("/")[2])]


def _proposals(incomplete: str, names: Callable[[Zoo], Iterable[str]]) -> list[str]:
    from trunkzoo.registry import open_zoo

    try:
        known = names(open_zoo())
    except Exception:  # noqa: BLE001 - a shell that waits for proposals must get none rather than a traceback
        return []
    return sorted({name for name in known if name.startswith(incomplete)})
