"""Statistics per dimension, under LeRobot's keys: min, max, mean, std, count and quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stats = dict[str, list[Any]]
"""JSON-able: statistic → one number per dimension; ``count`` is ``[N]``."""
QUANTILES: Mapping[str, float] = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
IMAGES_PER_EPISODE = 50


def statistics(values: NDArray[Any]) -> Stats:
    """Exact statistics of ``values`` (N, D) or (N,), in float64; std is the population's (divisor N)."""
    flat = values.reshape(len(values), -1)  # (N, D)
    rows = flat.astype(np.float64)
    quantiles = np.quantile(rows, list(QUANTILES.values()), axis=0)  # (5, D)
    return {
        "min": flat.min(axis=0).tolist(),
        "max": flat.max(axis=0).tolist(),
        "mean": rows.mean(axis=0).tolist(),
        "std": rows.std(axis=0).tolist(),
        "count": [len(rows)],
        **{name: row.tolist() for name, row in zip(QUANTILES, quantiles, strict=True)},
    }


def image_statistics(frames: NDArray[np.uint8]) -> Stats:
    """Per-channel statistics in [0, 1], shaped (C, 1, 1) as LeRobot does, of frames (T, H, W, C) evenly sampled."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, IMAGES_PER_EPISODE).round().astype(int))
    pixels = frames[chosen].reshape(-1, frames.shape[-1])  # (n·H·W, C)
    whole = statistics(pixels[:: max(1, len(pixels) // 100_000)])  # 50 frames may hold 15 million
    scaled = {name: [[[value / 255]] for value in row] for name, row in whole.items() if name != "count"}
    return {**scaled, "count": [len(chosen)]}


def merge(parts: list[Stats]) -> Stats:
    """Statistics of the union, from those of the parts; quantiles by weighted mean (approximate, as in LeRobot)."""
    weights = np.array([part["count"][0] for part in parts], dtype=np.float64)
    stacked = {name: np.array([part[name] for part in parts]) for name in parts[0] if name != "count"}
    mean = np.average(stacked["mean"], axis=0, weights=weights)
    variance = np.average(stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2, axis=0, weights=weights)
    return {
        "min": stacked["min"].min(axis=0).tolist(),
        "max": stacked["max"].max(axis=0).tolist(),
        "mean": mean.tolist(),
        "std": np.sqrt(variance).tolist(),
        "count": [int(weights.sum())],
        **{name: np.average(stacked[name], axis=0, weights=weights).tolist() for name in QUANTILES},
    }
