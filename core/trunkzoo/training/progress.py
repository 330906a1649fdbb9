"""Progress on stderr: a bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PLAIN_SECONDS = 10.0


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

    def update(self, step: int, loss: float, waited: float) -> None:
        """Show the state after ``step`` steps; ``waited`` is the seconds spent waiting for data in this session."""
        spent = time.perf_counter() - self._begun
        speed = (step - self._start) / max(spent, 1e-9)
        facts = f"loss {loss:.4g} · {speed:.3g} steps/s · data wait {waited / max(spent, 1e-9):.0%}"
        self._bar.update(self._task, completed=step, facts=facts)
        if not self._console.is_terminal and spent - self._shown > _PLAIN_SECONDS:
            self._shown = spent
            self.say(f"{self._name}: step {step}/{self._steps} · {facts}")

    def say(self, text: str) -> None:
        """One line of news."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
