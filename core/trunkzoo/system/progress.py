"""Progress on stderr, for people only: bars in a terminal; elsewhere a plain line now and then where one is wanted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from trunkzoo.errors import printable, printable_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trunkzoo.system.drawing import Drawing


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(n)`` of one bar over ``total``; None if it is unknown."""
    with Bars() as bars:
        bar = bars.add(label, total)
        yield lambda n: bars.update(bar, bar.done + n)


@dataclass
class Bar:
    """What one bar shows."""

    number: int
    label: str
    total: int | None
    done: int
    note: str
    visible: bool

    @property
    def line(self) -> str:
        """The bar as a plain text, outside a terminal."""
        total = "" if self.total is None else f"/{self.total}"
        return f"{self.label} {self.done}{total} {self.note}".rstrip()


def drawn() -> bool:
    """Whether progress is drawn: stderr is a terminal."""
    return sys.stderr.isatty()


class Bars:
    """Bars one below the other. ``plain_every``: seconds between plain lines where stderr is no terminal."""

    def __init__(self, plain_every: float = float("inf"), *, quiet: bool = False) -> None:
        self._quiet, self._plain_every, self._said = quiet, plain_every, time.monotonic()
        self._drawing = _drawing() if drawn() and not quiet else None
        self._bars: list[Bar] = []

    def __enter__(self) -> Self:
        if self._drawing:
            self._drawing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawing:
            self._drawing.stop()

    @property
    def due(self) -> bool:
        """Whether an update would be drawn or printed now."""
        waited = time.monotonic() - self._said
        return self._drawing is not None or (not self._quiet and waited >= self._plain_every)

    def add(self, label: str, total: int | None = None, done: int = 0, note: str = "", visible: bool = True) -> Bar:
        """A new bar below the others."""
        label = printable(label)
        bar = Bar(len(self._bars), label, total, done, note, visible)
        self._bars.append(bar)
        if self._drawing:
            self._drawing.add_task(label, total=total, completed=done, note=note, visible=visible, start=visible)
        return bar

    def update(self, bar: Bar, done: int, note: str = "", total: int | None = None, visible: bool = True) -> None:
        """Change what a bar shows; ``total`` None leaves that as it is."""
        bar.done, bar.note, bar.visible = done, note, visible
        bar.total = bar.total if total is None else total
        if self._drawing:
            task = self._drawing.task_ids[bar.number]
            if visible:
                self._drawing.start_task(task)
            self._drawing.update(task, completed=done, total=bar.total, note=note, visible=visible)

    def show(self, pixels: NDArray[np.uint8], caption: str) -> None:
        """Draw an image (H, W, 3) uint8 above the bars, a character per two pixels; nothing outside a terminal."""
        if self._drawing:
            from trunkzoo.system.drawing import half_blocks  # rich and numpy

            self._drawing.picture = half_blocks(pixels).append(printable(caption))

    def say(self, text: str) -> None:
        """One line of news, above the bars."""
        text = printable_lines(text)
        if self._drawing:
            self._drawing.console.print(text, highlight=False, soft_wrap=True, markup=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def say_if_due(self) -> None:
        """What the bars show, as a plain line, where they are not drawn and the last line was long ago."""
        if self.due and self._drawing is None:
            self._said = time.monotonic()
            self.say("; ".join(bar.line for bar in self._bars if bar.visible))


def _drawing() -> Drawing:
    from trunkzoo.system.drawing import Drawing  # rich, and most commands show no bar

    return Drawing()
