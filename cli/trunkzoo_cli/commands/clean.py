"""``zoo clean``: what may go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note, say

if TYPE_CHECKING:
    from trunkzoo.training.waste import Waste


def clean(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Look here and in all folders below. (default: runs, and the image cache)"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete what is shown.")] = False,
    keep: Annotated[int, typer.Option(min=1, metavar="N", help="Newest checkpoints of each run that stay.")] = 1,
    json: JsonOption = False,
) -> None:
    """Show leftovers of kills, the image cache and old checkpoints; with --yes delete them.

    Of a run the newest checkpoints stay, the best one and all that were evaluated; runs that are training and the cells
    of suites are left alone. The image cache serves all runs of yours, so it is shown where no directory is named.

    Example: zoo clean runs --keep 2
    """
    from trunkzoo.errors import UsageError
    from trunkzoo.training.waste import find_images, find_waste

    if directory is not None and not directory.is_dir():
        raise UsageError(f"no directory {directory}; name the one that holds your runs")
    runs = directory or Path("runs")
    below, images = list(find_waste(runs, keep)) if runs.is_dir() else [], [] if directory else list(find_images())
    found = [*below, *images]
    if yes:
        for waste in found:
            waste.delete()
    if json:
        emit_json([{"kind": it.kind, "path": str(it.path), "bytes": it.bytes, "deleted": yes} for it in found])
        return
    rows = [(it.kind, it.path, _size([it]), it.why) for it in below]
    if images:
        rows += [(images[0].kind, images[0].path.parent, _size(images), images[0].why)]
    if rows:
        emit_table(("what", "path", "size", "why it may go"), rows)
    say(f"{_size(found)} deleted" if yes else f"{_size(found)} could go")
    if found and not yes:
        note("nothing was deleted; the same command with --yes does it")


def _size(found: list[Waste]) -> str:
    return f"{sum(it.bytes for it in found) / 1e6:.1f} MB"
