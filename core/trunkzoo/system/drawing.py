"""What :class:`~trunkzoo.system.progress.Bars` draws in a terminal: bars, and above them a picture made of half blocks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.style import Style
from rich.text import Text


class Drawing(Progress):
    """Bars on stderr that vanish at the end."""

    picture: Text | None = None

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The picture, if there is one, and the bars."""
        if self.picture is not None:
            yield self.picture
        yield from super().get_renderables()


def half_blocks(pixels: NDArray[np.uint8]) -> Text:
    """An image (H, W, 3) uint8 as text, two pixels above each other in every character; an odd last row is left out."""
    upper, lower = pixels[0 : len(pixels) // 2 * 2 : 2], pixels[1::2]
    text = Text(no_wrap=True)
    for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
        for front, back in zip(above, below, strict=True):
            text.append("▀", Style(color="rgb({},{},{})".format(*front), bgcolor="rgb({},{},{})".format(*back)))
        text.append("\n")
    return text
