"""What the cameras of the reach tasks show: discs in a unit square, with smooth edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]
FLOOR, WALL, TARGET, POINT = (24, 28, 36), (120, 124, 132), (90, 220, 120), (250, 170, 60)
RADIUS = 0.07  # of point and target; larger than a pixel of the smallest image
WINDOW = 0.5  # side of what the near camera sees


def draw(
    camera: str, side: int, place: NDArray[np.float64], target: NDArray[np.float64], wall: float
) -> NDArray[np.uint8]:
    """The image (side, side, 3) of a camera: ``top`` sees all, ``near`` around the point, ``side`` all, turned."""
    x, y = _seen(camera, side, place)
    scale = side / (WINDOW if camera == "near" else 1.0)  # pixels per unit
    image = np.empty((side, side, 3))
    image[:] = np.where(((x < 0) | (x > 1) | (y < 0) | (y > 1))[..., None], 0, FLOOR)
    for centre, radius, colour in ((np.full(2, 0.5), wall, WALL), (target, RADIUS, TARGET), (place, RADIUS, POINT)):
        if radius:
            cover = np.clip((radius - np.hypot(x - centre[0], y - centre[1])) * scale + 0.5, 0, 1)[..., None]
            image = image + cover * (np.array(colour) - image)
    return np.rint(image).astype(np.uint8)


def _seen(camera: str, side: int, place: NDArray[np.float64]) -> tuple[Grid, Grid]:
    """The place (x, y) that every pixel shows; y goes up in the image."""
    centres = (np.arange(side) + 0.5) / side
    across: Grid = np.tile(centres, (side, 1))
    up: Grid = across.T[::-1]
    if camera == "near":
        return place[0] + WINDOW * (across - 0.5), place[1] + WINDOW * (up - 0.5)
    return (across, up) if camera == "top" else (1 - up, across)
