"""Training metrics: one JSON line per ``log_every`` steps, always, without any service."""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkzoo.errors import DataError, UsageError
from trunkzoo.plain import parse_table
from trunkzoo.system.files import readable_os_errors, write_text
from trunkzoo.training.directory import EVENTS, METRICS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from trunkzoo.training.trackers import Trackers

WALL_CLOCK = ("seconds", "steps_per_second", "cpu_per_step", "data_wait", "memory_mb")
"""Fields that depend on the machine; all others repeat exactly."""


class Meter:
    """Means since the last reset. Its whole state is JSON, and JSON keeps every bit of a float."""

    def __init__(self, sums: Mapping[str, float] | None = None, count: int = 0) -> None:
        self.sums = dict(sums or {})
        self.count = count

    def add(self, values: Mapping[str, float]) -> None:
        """Take one step's values."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1

    def means(self) -> dict[str, float]:
        """Mean of each value per step; empty before the first one."""
        return {name: total / self.count for name, total in self.sums.items()}

    def reset(self) -> None:
        """Start over."""
        self.sums, self.count = {}, 0

    def state(self) -> dict[str, Any]:
        """Arguments that make this meter again."""
        return {"sums": self.sums, "count": self.count}


class MetricsLog:
    """``metrics.jsonl`` of a run, and TensorBoard's event files where they are asked for."""

    def __init__(self, run: Path, step: int, tensorboard: bool = False, trackers: Trackers | None = None) -> None:
        """Continue after ``step``: rows beyond it were logged by a killed run, and no checkpoint remembers them.

        Raises:
            UsageError: TensorBoard is not installed.
        """
        self._path = run / METRICS
        self._trackers = trackers
        self._events = _event_writer(run / EVENTS, step) if tensorboard else None
        if self._path.exists():
            text = self._path.read_text(encoding="utf-8", errors="replace")
            rows = [line for line in text.splitlines() if _step_of(line) <= step]
            write_text(self._path, "".join(f"{row}\n" for row in rows))

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; numbers that JSON cannot hold become null."""
        clean = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in row.items()}
        with readable_os_errors(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(clean) + "\n")
        if self._events:
            for name, value in row.items():
                if name != "step" and isinstance(value, int | float):
                    self._events.add_scalar(name, value, row["step"])
            self._events.flush()
        if self._trackers:
            self._trackers.log(clean)

    def finish(self) -> None:
        """Let trackers send what they still hold."""
        if self._trackers:
            self._trackers.finish()


def _event_writer(directory: Path, step: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("TensorBoard is not installed; run: pip install 'trunkzoo[tensorboard]'") from None
    return SummaryWriter(str(directory), purge_step=step + 1)


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """All rows of a run's ``metrics.jsonl``; none before it has begun, and no last one that is half written.

    Raises:
        DataError: a line is no row of numbers with a step.
    """
    path = run / METRICS
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if path.is_file() else []
    rows = []
    for number, line in enumerate(lines, 1):
        row = _row_of(line)
        if row is None or not all(isinstance(value, int | float | None) for value in row.values()):
            raise DataError(f"{path}:{number} is no row of metrics, numbers and a step; remove the line")
        rows.append(row)
    return rows


def _row_of(line: str) -> dict[str, Any] | None:
    """The row of a line; None for what is none: a kill can cut the last line."""
    try:
        row = parse_table(line)
    except ValueError:
        return None
    return row if isinstance(row.get("step"), int) else None


def _step_of(line: str) -> float:
    """The step of a row; infinity for what is none."""
    row = _row_of(line)
    return row["step"] if row else math.inf


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


ERRORS = ("mse", "l1", "error", "rms", "mae")  # how heads call their plain error, alone or with a suffix


def losses(values: Mapping[str, float]) -> str:
    """``loss 2 · mse_u 0.19``: the loss, and the first unweighted error that the head logs beside it."""
    plain = [name for name in values if any(name == word or name.startswith(f"{word}_") for word in ERRORS)]
    plain += [name for name in values if name.endswith("_rms")]
    return " · ".join(f"{name} {values[name]:.4g}" for name in ("loss", *plain[:1]))


def duration(seconds: float) -> str:
    """``1:05`` or ``2:01:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
