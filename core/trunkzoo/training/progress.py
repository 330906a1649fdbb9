"""Progress on stderr: a bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PLAIN_SECONDS = 10.0


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


class Reporter:
    """Shows the step, the loss, the speed and the share of time spent waiting for data."""

    def __init__(self, name: str, start: int, steps: int, enabled: bool) -> None:
        self._console = Console(stderr=True, quiet=not enabled)
        self._name, self._steps = name, steps
        self._begun, self._start, self._shown = time.perf_counter(), start, 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (enabled and self._console.is_terminal),
        )
        self._task = self._bar.add_task(name, total=steps, completed=start, facts="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()

    def update(self, step: int, values: Mapping[str, float], waited: float) -> None:
        """Show the state after ``step`` steps; ``waited`` is the seconds spent waiting for data in this session.

        ``values`` are the loss and what the head logs beside it. A weighted loss hardly moves while an agent learns:
        what shows it is the head's plain error.
        """
        spent = time.perf_counter() - self._begun
        speed = (step - self._start) / max(spent, 1e-9)
        facts = f"{losses(values)} · {speed:.3g} steps/s · data wait {waited / max(spent, 1e-9):.0%}"
        self._bar.update(self._task, completed=step, facts=facts)
        if not self._console.is_terminal and spent - self._shown > _PLAIN_SECONDS:
            self._shown = spent
            left = duration((self._steps - step) / speed) if step > self._start else "?"
            self.say(f"{self._name}: step {step}/{self._steps} · {facts} · {left} left")

    def say(self, text: str) -> None:
        """One line of news."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
