"""Whether an existing dataset is the collection that was asked for: same task, settings, noise, seeds and episodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trunkzoo.data.lerobot.layout import ORIGIN_PATH, read_info
from trunkzoo.data.summary import read_origin
from trunkzoo.errors import UsageError


def require_same_collection(directory: Path, asked: Mapping[str, Any], episodes: int, first_seed: int) -> None:
    """Require that ``directory`` is a complete collection of ``episodes`` with the facts ``asked`` in its origin.

    ``asked``: ``task``, ``config`` and ``noise``, as the collection wrote them.

    Raises:
        UsageError: it is not; the message shows both sides.
        DataError: it is no dataset that can be read.
    """
    info, origin = read_info(directory), read_origin(directory)
    if origin is None or "seeds" not in origin:
        raise UsageError(
            f"{directory} was not recorded by `zoo collect` ({ORIGIN_PATH} is missing); give another directory",
            ["output"],
        )
    there = {key: origin.get(key) for key in asked}
    there |= {"episodes": info.total_episodes, "seed": min([*origin["seeds"], *origin["failed_seeds"]])}
    wanted = {**asked, "episodes": episodes, "seed": first_seed}
    differing = [key for key in wanted if wanted[key] != there[key]]
    if differing:
        sides = "; ".join(f"{key} {wanted[key]} (asked) ≠ {there[key]} (there)" for key in differing)
        raise UsageError(
            f"{directory} holds another collection: {sides}. Give another directory, or delete it", ["output"]
        )
