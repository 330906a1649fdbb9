"""The run directory of a training: its lock, its ``run.json`` and its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trunkzoo.catalogue.part import Configured
from trunkzoo.checkpoint.layout import CHECKPOINTS, MANIFEST, checkpoints_of, step_directories, step_name
from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.plain import parse_table
from trunkzoo.registry.recipe import Recipe
from trunkzoo.system.files import LEFTOVER, clear_leftovers, point_link, readable_os_errors, regular, remove, write_text
from trunkzoo.system.locks import acquire

RUN, METRICS, EVENTS, LOCK = "run.json", "metrics.jsonl", "tensorboard", ".lock"
CELLS = "cells"  # the folder of a suite in which its cells lie, trainings among them
_IMAGES = "data.images."
_MAY_CHANGE = {
    f"train.{name}"
    for name in ("steps", "checkpoint_every", "keep", "log_every", "workers", "skip_nonfinite", "compile")
}
"""Settings that may differ on resume; of these only ``steps`` changes the weights (see ``learning_rate``), and
``compile`` rounds them differently."""


class RunDirectory:
    """Paths and checkpoints of one run. Made by :func:`open_run`, which holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def checkpoints(self) -> dict[int, Path]:
        """Finished checkpoints by their step, oldest first."""
        return checkpoints_of(self.path)

    def latest(self) -> tuple[int, Path] | None:
        """Step and directory of the newest finished checkpoint, from which a run goes on.

        Raises:
            CheckpointError: one is half a copy; saving there would fail, hours from now.
        """
        found = step_directories(self.path)
        for half in found.values():
            if not (half / MANIFEST).is_file():
                raise CheckpointError(f"{half} has no {MANIFEST}, so it is half a copy; copy the rest, or remove it")
        return max(found.items()) if found else None

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint after ``step`` steps lies."""
        return self.path / CHECKPOINTS / step_name(step)

    def publish(self, step: int, best: int | None, keep: int) -> None:
        """Point ``last`` and ``best`` at their checkpoints and delete those beyond the newest ``keep``; 0 keeps all."""
        folder = self.path / CHECKPOINTS
        found = self.checkpoints()
        point_link(folder / "last", self.checkpoint(step))
        if best in found:
            point_link(folder / "best", self.checkpoint(best))
        with readable_os_errors(folder):
            for old in set(list(found)[:-keep] if keep else ()) - {step, best}:
                remove(found[old])

    def record(self, facts: Mapping[str, Any], session: Mapping[str, Any]) -> None:
        """Write ``run.json``: what the run is, and one entry per session that worked on it."""
        path = self.path / RUN
        sessions = read_run(self.path)["sessions"] if is_begun(self.path) else []
        write_text(path, json.dumps({**facts, "sessions": [*sessions, session]}, indent=2) + "\n")


def is_begun(path: Path) -> bool:
    """Whether a training has begun in a run directory, so that it can be resumed."""
    return (path / RUN).is_file()


@contextmanager
def open_run(path: Path, resume: bool) -> Iterator[RunDirectory]:
    """Create or reopen a run directory and hold its lock, which the kernel drops even after kill -9.

    A directory in which no training began is gone afterwards.

    Raises:
        UsageError: another training works there, it holds something and this is no resume, there is nothing to resume,
            or it is not writable.
        CheckpointError: it cannot be read.
    """
    with ExitStack() as held:
        with readable_os_errors(path):
            if path.exists() and not path.is_dir():
                raise UsageError(f"{path} is a file; give a directory for the run")
            if resume and not is_begun(path):
                raise UsageError(f"no run to resume at {path}; start one instead", ["resume"])
            held.enter_context(acquire(path / LOCK, partial(_busy, path)))
            held.callback(_remove_unless_begun, path)
            if not resume and any(entry.name != LOCK and LEFTOVER not in entry.name for entry in path.iterdir()):
                raise UsageError(f"{path} already exists; resume it, or choose another directory", ["resume", "output"])
            for folder in (path, path / CHECKPOINTS):
                clear_leftovers(folder)
        yield RunDirectory(path)


def _remove_unless_begun(path: Path) -> None:
    """Leave nothing of a run that was refused before its first word."""
    if not is_begun(path):
        with suppress(OSError):  # somebody else's file is there: the directory stays
            (path / LOCK).unlink()
            path.rmdir()


def _busy(path: Path, owner: str) -> UsageError:
    return UsageError(f"another training (process {owner}) writes to {path}; wait for it, or choose another directory")


def check_same_run(path: Path, facts: Mapping[str, Any], parts: Sequence[Configured[Any]] = ()) -> None:
    """Hold what would be resumed, an agent of these ``parts``, against what was started.

    Raises:
        UsageError: recipe, data or seed differ; the message shows both sides.
        CheckpointError: ``run.json`` is damaged.
    """
    before = read_run(path)
    before = {**before, "recipe": _grown(before["recipe"], parts)}
    there, here = flat(_comparable(before)), flat(_comparable(facts))
    keys = [key for key in sorted(there.keys() | here.keys()) if there.get(key) != here.get(key)]
    lines = _other_cameras(before, facts) if any(key.startswith(_IMAGES) for key in keys) else []
    lines += [f"{key}: {there.get(key)} ≠ {here.get(key)}" for key in keys if key not in _MAY_CHANGE]
    if lines[0:1] and lines[0].startswith("camera "):
        lines = [line for line in lines if not line.startswith(_IMAGES)]  # hashes, whose reason the names tell
    if lines:
        shown = "; ".join(lines[:4]) + (f"; and {len(lines) - 4} more" if len(lines) > 4 else "")
        raise UsageError(f"{path} was started differently (there ≠ here): {shown}. Undo that, or start a new run")


def _other_cameras(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The cameras of the data whose names differ, as they were chosen."""
    then, now = (facts["data"].get("source", {}).get("cameras", {}) for facts in (there, here))
    pairs = [(ours, then[ours]["name"], now[ours]["name"]) for ours in then if ours in now]
    return [f"camera {ours}: {mine} ≠ {other}" for ours, mine, other in pairs if mine != other]


def read_run(path: Path) -> dict[str, Any]:
    """``run.json`` of a run directory: recipe, seed, data and sessions.

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        facts: dict[str, Any] = parse_table(regular(path / RUN).read_bytes())
        _comparable(facts)
        [*facts["sessions"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise CheckpointError(
            f"{path / RUN} is damaged, so nothing tells what was started here; restore it, or start a new run"
        ) from None
    return facts


def _comparable(facts: Mapping[str, Any]) -> dict[str, Any]:
    recipe = {key: value for key, value in _whole(facts["recipe"]).items() if key != "summary"}
    start = {key: value for key, value in facts.get("start", {}).items() if key != "path"}  # the file may have moved
    return {**recipe, "seed": facts["seed"], "data": facts["data"]["content"], "start": start}


def _whole(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recorded recipe with the settings that are younger than it: their defaults are what was done before they came."""
    try:
        return Recipe.model_validate(recipe).model_dump(mode="json")
    except ValidationError:
        return recipe


def _grown(recipe: Mapping[str, Any], parts: Sequence[Configured[Any]]) -> dict[str, Any]:
    """A recorded recipe with the settings that its parts got since from their plugins, at their defaults."""
    whole = dict(recipe)
    for part in parts:
        then = recipe.get(part.kind) or {}
        if then.get("name") == part.id:
            with suppress(ValidationError):  # a setting that is gone shows as a difference
                config = type(part.config).model_validate({**part.spec.defaults, **then["config"]})
                whole[part.kind] = {**then, "config": config.model_dump(mode="json")}
    return whole


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested tables by their dotted keys."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
