"""What a run was started with, read from its ``run.json``: all that continuing it needs. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trunkzoo.errors import CheckpointError, ConfigError, UsageError
from trunkzoo.plugin.config import parse
from trunkzoo.registry.recipe import Recipe
from trunkzoo.training.directory import RUN, read_run


@dataclass(frozen=True)
class Begun:
    """The request that began a run, and the machine of its last session."""

    recipe: Recipe
    data: Path
    seed: int
    cameras: dict[str, str]
    """Camera of the contract → camera of the data."""
    device: str
    """``cpu`` or ``cuda``."""
    threads: int | None


def begun(run: Path) -> Begun:
    """What the run in directory ``run`` was started with.

    Raises:
        UsageError: no run was started there.
        CheckpointError: ``run.json`` is damaged, or does not fit this version.
    """
    if not (run / RUN).is_file():
        raise UsageError(f"no run to resume at {run}; name the directory of one, or start one instead", ["resume"])
    facts = read_run(run)
    last = facts["sessions"][-1] if facts["sessions"] else {}
    cameras = facts["data"].get("source", {}).get("cameras", {})
    try:
        recipe = parse(Recipe, facts["recipe"], "recipe")
    except ConfigError as error:
        raise CheckpointError(f"the recipe in {run / RUN} does not fit this version of trunkzoo: {error}") from None
    return Begun(
        recipe=recipe,
        data=Path(facts["data"]["path"]),
        seed=int(facts["seed"]),
        cameras={ours: found["name"] for ours, found in cameras.items() if found["name"] != ours},
        device=str(last.get("device", "auto")).partition(":")[0],
        threads=last.get("threads"),
    )
