"""The zoo of this environment: the registry and the catalogue of plugins that it rules."""

from __future__ import annotations

from collections.abc import Iterable

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.discovery import PluginRow, discover, environment_policy, unknown_limits
from trunkzoo.catalogue.names import NameRules
from trunkzoo.registry.registry import load_usable_registry


def load_catalogue(names: NameRules | None = None) -> Catalogue:
    """Find and load every plugin. No fault of a plugin or of a user's registry.toml stops it; see ``notes``.

    ``names`` are the registry's rules about names; None reads them from registry.toml.
    """
    notes: list[str] = []
    if names is None:
        registry, notes = load_usable_registry()
        names = registry.names
    policy = environment_policy(names.reserved, names.disabled)
    found = discover(policy)
    rows = tuple(row for row, _ in found)
    notes += unknown_limits(policy, rows)
    return Catalogue(
        plugins=rows,
        trunks={f"{row.name}/{name}": spec for row, records in found for name, spec in records.trunks.items()},
        heads={f"{row.name}/{name}": spec for row, records in found for name, spec in records.heads.items()},
        tasks={f"{row.name}/{name}": spec for row, records in found for name, spec in records.tasks.items()},
        names=names,
        notes=tuple(notes + plugin_notes(rows)),
    )


def plugin_notes(rows: Iterable[PluginRow]) -> list[str]:
    """One line that names the plugins that should have loaded and did not."""
    failed = [f"{row.name} ({row.status})" for row in rows if row.status not in ("ok", "disabled")]
    more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
    return [f"not loaded: {', '.join(failed[:4])}{more}; `zoo doctor` says why"] if failed else []
