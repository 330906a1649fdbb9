"""``zoo plugins``: installed plugins and their status."""

from __future__ import annotations

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table


def plugins(json: JsonOption = False) -> None:
    """List installed plugins with their distribution, API version and status.

    Status: ok · broken (see `zoo doctor --trace`) · incompatible (another API version, never imported) ·
    disabled (by registry.toml or $TRUNKZOO_PLUGINS, never imported) · conflict (two distributions, one name).
    """
    from trunkzoo.registry import open_zoo

    rows = open_zoo().catalogue.plugins
    if json:
        said = ("name", "distribution", "version", "api", "target", "status", "reason")
        keys = (*said, "trunks", "heads", "tasks", "policies")
        emit_json([{key: getattr(row, key) for key in keys} for row in rows])
        return
    emit_table(
        ("plugin", "distribution", "api", "status", "offers", "reason"),
        [
            (row.name, f"{row.distribution} {row.version}", row.api, row.status, row.offers(), row.reason)
            for row in rows
        ],
    )
