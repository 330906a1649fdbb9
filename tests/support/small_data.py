"""A contract of two small cameras for made-up datasets of 75 frames, and what an interrupted write would leave."""

from __future__ import annotations

from pathlib import Path

from trunkzoo.plugin import Contract

CONTRACT = Contract(
    cameras=("front", "wrist"),
    image_size=(24, 16),
    state_dim=3,
    action_dim=2,
    camera_dim=5,
    cond_dim=13,
    pred_horizon=16,
)
LENGTHS = (20, 30, 25)  # frames of the episodes


def leftovers(folder: Path) -> list[Path]:
    """Unfinished files and folders under ``folder``."""
    return list(folder.rglob("*.partial-*"))
