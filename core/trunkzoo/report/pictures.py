"""Pictures of a :class:`~trunkzoo.rollouts.gaze.Gaze`: keypoints over camera images, depth attention as heat maps."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trunkzoo.errors import UsageError
from trunkzoo.report.page import Figure, data_uri
from trunkzoo.rollouts.gaze import Gaze

SIDE = 208  # of one camera image, pixels
SMALL = 136  # of one map, pixels
CELL = 52  # of one weight in a heat map, pixels
GAP = 4  # between tiles, pixels
FONT = 20  # letters, pixels; pages show sheets at half their size or more
WIDE = 1000  # pictures from this width on take the whole width of a page
BACK, INK = (31, 33, 37), (233, 233, 230)  # one ground for light and dark pages
Pixels = NDArray[np.uint8]
Tile = Image.Image | None


def sheet(rows: Sequence[str], columns: Sequence[str], tiles: Sequence[Sequence[Tile]]) -> Image.Image:
    """Tiles of one size in a grid, each row and column with its name; None leaves a place empty."""
    font = ImageFont.load_default(FONT)
    width, height = next(tile.size for line in tiles for tile in line if tile)
    longest = max(round(font.getlength(name)) for name in rows)
    upright = longest <= height  # names of tall rows stand on their side
    left, top = (FONT if upright else longest) + 3 * GAP, FONT + 3 * GAP
    picture = Image.new("RGB", (left + len(columns) * (width + GAP), top + len(rows) * (height + GAP)), BACK)
    for column, name in enumerate(columns):
        picture.paste(_words(name, width), (left + column * (width + GAP), 0))
    for row, name in enumerate(rows):
        y = top + row * (height + GAP)
        words = _words(name, height).rotate(90, expand=True) if upright else _words(name, left)
        picture.paste(words, (0, y if upright else y + (height - words.height) // 2))
        for column, tile in enumerate(tiles[row]):
            if tile:
                picture.paste(tile, (left + column * (width + GAP), y))
    return picture


def _words(name: str, width: int) -> Image.Image:
    """A name in the middle of a strip."""
    strip = Image.new("RGB", (width, FONT + 3 * GAP), BACK)
    ImageDraw.Draw(strip).text((width / 2, strip.height / 2), name, INK, ImageFont.load_default(FONT), anchor="mm")
    return strip


def keypoint_sheet(gaze: Gaze) -> Image.Image:
    """Cameras down, steps across; every keypoint keeps its colour from step to step."""
    tiles = [
        [draw_keypoints(photo(image), points) for image, points in zip(images, keypoints, strict=True)]
        for images, keypoints in zip(gaze.images, gaze.keypoints, strict=True)
    ]
    return sheet(gaze.cameras, step_names(gaze.steps), tiles)


def step_names(steps: Sequence[int]) -> list[str]:
    """What columns of time are called."""
    return [f"step {step}" for step in steps]


def photo(image: Pixels, side: int = SIDE) -> Image.Image:
    """A camera image as a tile."""
    return Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)


def draw_keypoints(tile: Image.Image, keypoints: NDArray[np.float32]) -> Image.Image:
    """Draw (K, 2) keypoints, (x, y) in [-1, 1], on a picture, and return it."""
    draw = ImageDraw.Draw(tile)
    for index, (x, y) in enumerate(keypoints):
        place = ((x + 1) / 2 * (tile.width - 1), (y + 1) / 2 * (tile.height - 1))
        red, green, blue = colorsys.hsv_to_rgb(index / len(keypoints), 0.85, 1.0)
        colour = (round(255 * red), round(255 * green), round(255 * blue))
        draw.circle(place, 3.5, fill=colour, outline=(0, 0, 0))
    return tile


def source_sheet(sources: Mapping[str, NDArray[np.float32]]) -> Image.Image:
    """Reads down, sources across (the oldest left): the mean weight that each read gives to each source."""
    columns = source_names(max(len(weights) for weights in sources.values()))
    tiles = [[_number(weight) for weight in weights] for weights in sources.values()]
    return sheet(list(sources), columns, tiles)


def source_names(count: int) -> list[str]:
    """Sources by age; the first is what entered the stage."""
    return [f"s{index}" for index in range(count)]


def _number(weight: np.float32) -> Image.Image:
    red, green, blue = (int(channel) for channel in heat(np.array(weight)))
    tile = Image.new("RGB", (CELL, CELL // 2 + 2 * GAP), (red, green, blue))
    ink = (0, 0, 0) if weight > 0.6 else (255, 255, 255)
    font = ImageFont.load_default(FONT - 2)
    ImageDraw.Draw(tile).text((CELL / 2, tile.height / 2), f"{weight:.2f}", ink, font, anchor="mm")
    return tile


def map_sheet(gaze: Gaze, name: str) -> Image.Image:
    """One read: the first camera's image, then where each source is read, every other step (down) and source (across)."""
    weights = gaze.maps[name]  # (sources, T, h, w)
    steps = range(0, weights.shape[1], 2)
    tiles = [
        [photo(gaze.images[0, step], SMALL), *(_heat_tile(pixels) for pixels in weights[:, step])] for step in steps
    ]
    columns = ["image", *source_names(len(weights))]
    return sheet(step_names([gaze.steps[step] for step in steps]), columns, tiles)


def _heat_tile(pixels: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(heat(pixels)).resize((SMALL, SMALL), Image.Resampling.NEAREST)


def heat(weights: NDArray[np.float32]) -> Pixels:
    """Weights in [0, 1] (…) as colours (…, 3): dark blue, red, yellow."""
    stops = np.array([[18, 16, 70], [140, 30, 120], [235, 85, 60], [252, 240, 140]], dtype=np.float64)
    place = np.clip(weights, 0, 1)[..., None] * (len(stops) - 1)
    lower = np.clip(np.floor(place).astype(int), 0, len(stops) - 2)[..., 0]
    share = place - lower[..., None]
    colours: Pixels = (stops[lower] * (1 - share) + stops[lower + 1] * share).astype(np.uint8)
    return colours


def pictures_of(gaze: Gaze) -> Iterator[tuple[str, str, Image.Image]]:
    """File name, caption and picture of everything there is to see."""
    keypoints = (
        f"Where each of the {gaze.keypoints.shape[2]} keypoints looks, per camera (down) over the episode (across); a "
        "keypoint keeps its colour."
    )
    yield "keypoints", keypoints, keypoint_sheet(gaze)
    scale = "Dark blue is weight 0, red ½, yellow 1; s0 is the oldest source, what entered the stage."
    if gaze.sources:
        caption = f"Depth attention: the mean weight that each read (down) gives to each source (across). {scale}"
        yield "depth-weights", caption, source_sheet(gaze.sources)
    for name, weights in gaze.maps.items():
        if len(weights) > 1:
            caption = (
                f"{name}, the last read of its stage: weight of each source per pixel of {gaze.cameras[0]}. {scale}"
            )
            yield f"depth-map-{name}", caption, map_sheet(gaze, name)


def write_pictures(gaze: Gaze, directory: Path) -> list[Path]:
    """Write every picture as PNG and return the files.

    Raises:
        UsageError: the directory cannot be written.
    """
    files = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, _, picture in pictures_of(gaze):
            files.append(directory / f"{name}.png")
            picture.save(files[-1])
    except OSError as error:
        raise UsageError(f"cannot write {directory}: {error.strerror}") from None
    return files


def figures_of(gaze: Gaze) -> Iterator[Figure]:
    """Every picture as a figure of a page."""
    for _, caption, picture in pictures_of(gaze):
        shape: Literal["natural", "wide"] = "natural" if picture.width < WIDE else "wide"
        yield Figure(caption, image=webp(picture), shape=shape)


def webp(picture: Image.Image) -> str:
    """A picture as text for an ``img`` element, a tenth of its PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=75)
    return data_uri("image/webp", buffer.getvalue())
