"""The interface of a dataset to convert, the user's choices about it, and its episodes under LeRobot's names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trunkzoo.errors import DataError, UsageError, did_you_mean
from trunkzoo.plugin.contract import ACTION_KEY, IMAGE_KEY, STATE_KEY

Arrays = Mapping[str, Any]
"""One episode: name → array-like over time."""


@dataclass(frozen=True)
class Choices:
    """The user's choices for a conversion; what is left out is taken from the source."""

    task: str | None = None
    fps: float | None = None
    state: tuple[str, ...] = ()
    """Parts of ``observation.state`` in order: ``KEY`` or ``KEY[a:b]``."""
    cameras: Mapping[str, str] = field(default_factory=dict)
    """Camera name → image array."""


class Source(Protocol):
    """A foreign dataset, opened for reading."""

    @property
    def task(self) -> str:
        """The task in words, as far as the source tells."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames per second; None where the format does not say."""
        ...

    @property
    def state(self) -> tuple[str, ...]:
        """The parts that make up ``observation.state`` unless the user chooses; empty where nothing is obvious."""
        ...

    @property
    def cameras(self) -> Mapping[str, str]:
        """Camera name → image array, all there are."""
        ...

    def __len__(self) -> int:
        """Number of episodes."""
        ...

    def episodes(self) -> Iterator[Arrays]:
        """One mapping per episode; ``action`` is among its names."""
        ...


def episode_frames(arrays: Arrays, state: Sequence[str], cameras: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """One episode under LeRobot's names: images uint8 (T, H, W, 3), state and action float32.

    Raises:
        UsageError: a chosen name is not in the source.
        DataError: an array has another shape than its use needs.
    """
    images = {IMAGE_KEY + camera: as_pixels(_take(arrays, key), key) for camera, key in cameras.items()}
    parts = [as_vectors(_take(arrays, part), part) for part in state]
    return {
        **images,
        STATE_KEY: np.concatenate(parts, axis=1),
        ACTION_KEY: as_vectors(arrays[ACTION_KEY][:], ACTION_KEY),
    }


def is_video(shape: Sequence[int]) -> bool:
    """Is an array of this shape colour images over time, (T, H, W, 3)?"""
    return len(shape) == 4 and shape[-1] == 3


def as_pixels(values: NDArray[Any], key: str) -> NDArray[np.uint8]:
    """Images (T, H, W, 3) as uint8; floats are taken as 0…1 if none exceeds 1, else as 0…255."""
    if not is_video(values.shape):
        raise DataError(f"'{key}' has shape {values.shape}; a camera is (frames, height, width, 3)")
    if values.dtype == np.uint8:
        return values
    if not np.isfinite(values).all():
        raise DataError(f"'{key}' holds pixels that are not finite; repair or leave out these episodes")
    scaled = values * 255.0 if values.dtype.kind == "f" and values.max(initial=0) <= 1 else values
    pixels: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return pixels


def as_vectors(values: NDArray[Any], key: str) -> NDArray[np.float32]:
    """Numbers (T, …) as float32 (T, D)."""
    if values.dtype.kind not in "fiub":
        raise DataError(f"'{key}' holds {values.dtype}, not numbers")
    return values.reshape(len(values), prod(values.shape[1:])).astype(np.float32)


def _take(arrays: Arrays, part: str) -> NDArray[Any]:
    """``arrays[KEY]``, or columns a to b of it for ``KEY[a:b]``."""
    match = re.fullmatch(r"(?P<key>[^\[\]]+)(\[(?P<start>\d{0,9}):(?P<stop>\d{0,9})\])?", part)
    if match is None:
        raise UsageError(f"'{part}' is neither KEY nor KEY[a:b] with numbers of at most 9 digits")
    if match["key"] not in arrays:
        raise UsageError(
            f"no array '{match['key']}'.{did_you_mean(match['key'], arrays)} There are: {', '.join(arrays)}"
        )
    values: NDArray[Any] = np.asarray(arrays[match["key"]][:])
    if match["start"] is None:
        return values
    width = values.shape[1] if values.ndim > 1 else 0
    start, stop = int(match["start"] or 0), int(match["stop"] or width)
    if not start < stop <= width:
        raise UsageError(f"'{part}' names columns that '{match['key']}' of shape {values.shape} does not have")
    return values[:, start:stop]
