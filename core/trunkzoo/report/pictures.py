"""Pictures of a :class:`~trunkzoo.report.look.Look`: keypoints over camera images, depth attention as heat maps."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trunkzoo.errors import UsageError
from trunkzoo.report.look import Look
from trunkzoo.report.page import Figure

SIDE = 160  # of one camera image, pixels
CELL = 26  # of one weight in a heat map, pixels
NAMES = 120  # width of the column of names beside a heat map
WIDE = 900  # pictures from this width on take the whole width of a page
Pixels = NDArray[np.uint8]


def keypoint_sheet(look: Look) -> Image.Image:
    """Cameras down, steps across; every keypoint keeps its colour from step to step."""
    cameras, steps = look.images.shape[:2]
    sheet = Image.new("RGB", (steps * SIDE, cameras * SIDE))
    for camera in range(cameras):
        for step in range(steps):
            tile = Image.fromarray(look.images[camera, step]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            draw_keypoints(tile, look.keypoints[camera, step])
            sheet.paste(tile, (step * SIDE, camera * SIDE))
    return sheet


def draw_keypoints(tile: Image.Image, keypoints: NDArray[np.float32]) -> None:
    """Draw (K, 2) keypoints, (x, y) in [-1, 1], on a picture."""
    draw = ImageDraw.Draw(tile)
    for index, (x, y) in enumerate(keypoints):
        place = ((x + 1) / 2 * (tile.width - 1), (y + 1) / 2 * (tile.height - 1))
        red, green, blue = colorsys.hsv_to_rgb(index / len(keypoints), 0.85, 1.0)
        colour = (round(255 * red), round(255 * green), round(255 * blue))
        draw.circle(place, 3.5, fill=colour, outline=(0, 0, 0))


def source_sheet(sources: Mapping[str, NDArray[np.float32]]) -> Image.Image:
    """Reads down, sources across (the oldest left): the mean weight that each read gives to each source."""
    widest = max(len(weights) for weights in sources.values())
    sheet = Image.new("RGB", (NAMES + widest * CELL, len(sources) * CELL), (128, 128, 128))
    draw = ImageDraw.Draw(sheet)
    for row, (name, weights) in enumerate(sources.items()):
        top = row * CELL
        draw.text((NAMES - 6, top + CELL / 2), name, fill=(255, 255, 255), anchor="rm")
        for column, weight in enumerate(weights):
            left = NAMES + column * CELL
            red, green, blue = (int(channel) for channel in heat(np.array(weight)))
            draw.rectangle([left, top, left + CELL - 2, top + CELL - 2], fill=(red, green, blue))
            ink = (0, 0, 0) if weight > 0.6 else (255, 255, 255)
            draw.text((left + CELL / 2, top + CELL / 2), f"{weight:.2f}".removeprefix("0"), fill=ink, anchor="mm")
    return sheet


def map_sheet(look: Look, name: str) -> Image.Image:
    """One read: the first camera's image, then where each source is read, every other step (down) and source (across)."""
    weights = look.maps[name]  # (sources, T, h, w)
    steps = range(0, weights.shape[1], 2)
    sheet = Image.new("RGB", ((len(weights) + 1) * SIDE, len(steps) * SIDE))
    for row, step in enumerate(steps):
        image = Image.fromarray(look.images[0, step]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        sheet.paste(image, (0, row * SIDE))
        for source, pixels in enumerate(weights[:, step]):
            tile = Image.fromarray(heat(pixels)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(tile, ((source + 1) * SIDE, row * SIDE))
    return sheet


def heat(weights: NDArray[np.float32]) -> Pixels:
    """Weights in [0, 1] (…) as colours (…, 3): dark blue, red, yellow."""
    stops = np.array([[18, 16, 70], [140, 30, 120], [235, 85, 60], [252, 240, 140]], dtype=np.float64)
    place = np.clip(weights, 0, 1)[..., None] * (len(stops) - 1)
    lower = np.clip(np.floor(place).astype(int), 0, len(stops) - 2)[..., 0]
    share = place - lower[..., None]
    colours: Pixels = (stops[lower] * (1 - share) + stops[lower + 1] * share).astype(np.uint8)
    return colours


def pictures_of(look: Look) -> Iterator[tuple[str, str, Image.Image]]:
    """File name, caption and picture of everything there is to see."""
    steps = ", ".join(map(str, look.steps))
    yield "keypoints", f"Keypoints of {', '.join(look.cameras)} at steps {steps}", keypoint_sheet(look)
    if look.sources:
        caption = "Depth attention: mean weight that each read (down) gives to each source (across, the oldest left)"
        yield "depth-weights", caption, source_sheet(look.sources)
    for name, weights in look.maps.items():
        if len(weights) > 1:
            caption = f"{name}: the image, then the weight of each source per pixel (dark 0, bright 1), oldest left"
            yield f"depth-map-{name}", caption, map_sheet(look, name)


def write_pictures(look: Look, directory: Path) -> list[Path]:
    """Write every picture as PNG and return the files.

    Raises:
        UsageError: the directory cannot be written.
    """
    files = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, _, picture in pictures_of(look):
            files.append(directory / f"{name}.png")
            picture.save(files[-1])
    except OSError as error:
        raise UsageError(f"cannot write {directory}: {error.strerror}") from None
    return files


def figures_of(look: Look) -> Iterator[Figure]:
    """Every picture as a figure of a page."""
    for _, caption, picture in pictures_of(look):
        shape: Literal["natural", "wide"] = "natural" if picture.width < WIDE else "wide"
        yield Figure(caption, image=data_uri(picture), shape=shape)


def data_uri(picture: Image.Image) -> str:
    """A picture as text for an ``img`` element."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
