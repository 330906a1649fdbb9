"""Metrics to trackers of experiments beside ``metrics.jsonl``, which stays the truth: a tracker that fails is left out."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from pydantic import TypeAdapter

from trunkzoo.errors import UsageError, install_command, one_line
from trunkzoo.plain import parse_table
from trunkzoo.system.files import write_text
from trunkzoo.training.config import TrackerName

PROJECT = "trunkzoo"
IDENTITY = "trackers.json"
"""In the run directory: the ids under which services know the run, so that a resumed one goes on there."""
_IDENTITIES = TypeAdapter(dict[str, str])


class Trackers:
    """The trackers of a run, by accelerate's classes for them. Steps and names are those of ``metrics.jsonl``."""

    def __init__(self, names: Sequence[TrackerName], run: Path, settings: Mapping[str, Any]) -> None:
        """Start them; ``settings``, by dotted keys, are what the run is shown with.

        Raises:
            UsageError: a tracker's package is not installed, or it does not start.
        """
        self._open: dict[str, Any] = {}
        for name in names:
            if find_spec(name) is None:
                raise UsageError(f"track {name}: not installed; run: {install_command(name)}", ["track"])
            try:
                self._open[name] = _started(name, run, settings)
            except Exception as error:
                raise UsageError(
                    f"track {name}: does not start ({one_line(error)}); log in there, set its offline mode, or leave it out",
                    ["track"],
                ) from error

    def log(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of a row."""
        step = int(row["step"])
        numbers = {key: value for key, value in row.items() if key != "step" and isinstance(value, int | float)}
        self._each(lambda tracker: tracker.log(numbers, step=step))

    def finish(self) -> None:
        """Send what is left."""
        self._each(lambda tracker: tracker.finish())
        self._open.clear()

    def _each(self, do: Callable[[Any], None]) -> None:
        for name, tracker in list(self._open.items()):
            try:
                do(tracker)
            except Exception as error:  # noqa: BLE001 - a service that is down must not end a training
                warnings.warn(f"{name} is left out from here on ({one_line(error)})", UserWarning, stacklevel=2)
                del self._open[name]


def _started(name: str, run: Path, settings: Mapping[str, Any]) -> Any:
    known = _known(run)
    options: dict[str, dict[str, Any]] = {
        "wandb": {"name": run.name, "dir": str(run), "id": known["id"], "resume": "allow"},
        "trackio": {"name": f"{run.name}-{known['id'][:6]}", "resume": "allow"},
        "mlflow": {"run_name": run.name, "run_id": known.get(name)},
    }
    tracker = LOGGER_TYPE_TO_CLASS[name](PROJECT, **options[name])
    tracker.start()
    if name not in known:  # mlflow refuses a setting that has changed since, such as train.steps
        tracker.store_init_configuration(dict(settings))
    if name == "mlflow":  # it alone gives the id itself
        write_text(run / IDENTITY, json.dumps({**known, name: tracker.tracker.info.run_id}) + "\n")
    return tracker


def _known(run: Path) -> dict[str, str]:
    file = run / IDENTITY
    if not file.is_file():
        write_text(file, json.dumps({"id": uuid.uuid4().hex[:16]}) + "\n")
    try:
        return _IDENTITIES.validate_python(parse_table(file.read_bytes()))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({one_line(error)}); remove it and the run begins anew there") from None
