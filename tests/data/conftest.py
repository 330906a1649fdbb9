"""Fixtures of the data tests: an image cache of their own, and the dataset of ``support/small_data.py`` on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_data import CONTRACT, LENGTHS
from trunkzoo.data.synthetic import write_synthetic


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images go to a folder of this test."""
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three episodes with their images in parquet."""
    write_synthetic(tmp_path / "data", CONTRACT, LENGTHS)
    return tmp_path / "data"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """The same episodes with their images in mp4."""
    write_synthetic(tmp_path / "videos", CONTRACT, LENGTHS, video=True)
    return tmp_path / "videos"
