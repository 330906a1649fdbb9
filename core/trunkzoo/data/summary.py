"""Summary of a dataset: counts, dimensions, statistics, and a contact sheet of its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from trunkzoo.data.lerobot.images import frames_at
from trunkzoo.data.lerobot.layout import ORIGIN_PATH
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.lerobot.stats import statistics
from trunkzoo.data.lerobot.video import Frame
from trunkzoo.errors import DataError, UsageError, one_line
from trunkzoo.plain import parse_table
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY

SHEET_EPISODES = 6
MOMENTS = (0.0, 0.5, 1.0)  # start, middle and end of an episode
LEAST_WIDTH = 96  # pixels of one image in the sheet
LABEL = 12  # pixels above each row of the sheet


def dataset_facts(reader: LeRobotReader) -> dict[str, Any]:
    """Counts, features, cameras, statistics and origin of a dataset, JSON-able."""
    lengths = [len(episode) for episode in reader.episodes]
    vectors = [key for key in (STATE_KEY, ACTION_KEY) if key in reader.info.features]
    return {
        "directory": str(reader.directory),
        "robot_type": reader.info.robot_type,
        "fps": reader.info.fps,
        "episodes": len(lengths),
        "frames": len(reader),
        "seconds": round(len(reader) / reader.info.fps, 2),
        "episode_lengths": {"min": min(lengths), "median": float(np.median(lengths)), "max": max(lengths)},
        "tasks": list(reader.tasks),
        "features": {
            key: {"dtype": feature.dtype, "shape": list(feature.shape)} for key, feature in reader.info.features.items()
        },
        "cameras": list(reader.info.cameras),
        "statistics": {key: statistics(values) for key, values in reader.columns(vectors).items()},
        "origin": read_origin(reader.directory),
    }


def read_origin(directory: Path) -> dict[str, Any] | None:
    """How the dataset was made, if trunkzoo made it."""
    path = directory / ORIGIN_PATH
    try:
        return parse_table(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({one_line(error)}); restore it or delete it") from None


def contact_sheet(reader: LeRobotReader, path: Path) -> None:
    """Write a PNG: a row per episode (at most six, evenly chosen), and start, middle and end of every camera.

    Raises:
        UsageError: ``path`` cannot be written, or its name does not end like an image's.
        DataError: an image is missing or damaged, or there is no camera.
    """
    if not reader.info.cameras:
        raise DataError(f"{reader.directory} has no camera to show")
    chosen = np.unique(np.linspace(0, len(reader.episodes) - 1, SHEET_EPISODES).round().astype(int))
    episodes = [reader.episodes[i] for i in chosen]
    rows = [ep.start + round(moment * (len(ep) - 1)) for ep in episodes for moment in MOMENTS]
    strips = [_strips(_legible(frames_at(reader, key, rows))) for key in reader.info.cameras]  # a strip per episode
    height = max(strip.shape[0] for camera in strips for strip in camera) + LABEL
    sheet = Image.new("RGB", (sum(camera[0].shape[1] + 2 for camera in strips), height * len(episodes)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, episode in enumerate(episodes):
        draw.text((2, i * height), f"episode {episode.index}: {len(episode)} frames", fill="black")
        left = 0
        for camera in strips:
            sheet.paste(Image.fromarray(camera[i]), (left, i * height + LABEL))
            left += camera[i].shape[1] + 2
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path} ({error}); name a .png file in a directory that exists") from None


def _legible(frames: list[Frame]) -> list[Frame]:
    """Small images enlarged by a whole factor: the label of a row needs the room, and eyes do."""
    factor = max(1, LEAST_WIDTH // frames[0].shape[1])
    return [frame.repeat(factor, axis=0).repeat(factor, axis=1) for frame in frames]


def _strips(frames: list[Frame]) -> list[Frame]:
    n = len(MOMENTS)
    return [np.concatenate(frames[i : i + n], axis=1) for i in range(0, len(frames), n)]
