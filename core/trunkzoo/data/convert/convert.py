"""Convert foreign datasets to LeRobot v3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from trunkzoo.data.convert.replay_zarr import ReplayZarr
from trunkzoo.data.convert.robomimic import Robomimic
from trunkzoo.data.convert.sealed import seal_hdf5, zarr_store
from trunkzoo.data.convert.sources import Choices, Source, episode_frames
from trunkzoo.data.lerobot.layout import FASTEST, Feature
from trunkzoo.data.lerobot.writer import Arrays, LeRobotWriter
from trunkzoo.data.reading import reading
from trunkzoo.errors import DataError, UsageError
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY
from trunkzoo.system.files import refuse_existing
from trunkzoo.system.progress import progress

DAMAGED = "it is damaged, incomplete or needs a codec that is not installed; copy it again"
INSTALL = "Install: pip install 'trunkzoo[convert]'"


def convert_dataset(source: Path, out: Path, choices: Choices, *, video: bool = False) -> dict[str, Any]:
    """Write ``source`` (robomimic HDF5, diffusion_policy zarr) as the LeRobot v3 dataset ``out``.

    Returns the number of episodes and frames, and which arrays became what.

    Raises:
        UsageError: ``out`` exists, or a choice is missing or names nothing in the source.
        DataError: the source is damaged or of another format.
    """
    refuse_existing(out)
    with _open(source) as data:
        state, cameras = choices.state or data.state, dict(choices.cameras or data.cameras)
        fps = choices.fps or data.fps
        _check_choices(source, state, cameras, fps)
        origin = {"converted_from": source.name, "state": list(state), "cameras": cameras}
        episodes = _episodes(data, source, state, cameras)
        first = next(episodes)
        writer = LeRobotWriter(out, _features(first, video), float(fps or 0), origin=origin)
        with writer, progress(f"converting {source.name}", len(data)) as advance:
            for frames in _chain(first, episodes):
                writer.add_episode(frames, choices.task or data.task)
                advance(1)
        return {"directory": str(out), "episodes": len(data), "frames": writer.frames, **origin}


def _episodes(data: Source, path: Path, state: tuple[str, ...], cameras: dict[str, str]) -> Iterator[Arrays]:
    with reading(path, DAMAGED):
        for arrays in data.episodes():
            yield episode_frames(arrays, state, cameras)


def _chain(first: Arrays, rest: Iterator[Arrays]) -> Iterator[Arrays]:
    yield first
    yield from rest


@contextmanager
def _open(path: Path) -> Iterator[Source]:
    """The source at ``path``, by its kind."""
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_file() and path.suffix in (".hdf5", ".h5"):
        with _robomimic(path) as source:
            yield source
    elif (path / ".zgroup").exists() or path.name.endswith(".zarr.zip"):
        with _replay_zarr(path) as source:
            yield source
    else:
        raise UsageError(f"{path} is neither robomimic HDF5 (.hdf5) nor a diffusion_policy zarr (.zarr, .zarr.zip)")


@contextmanager
def _robomimic(path: Path) -> Iterator[Source]:
    h5py = _optional("h5py", path)

    with ExitStack() as stack:
        with reading(path, DAMAGED):
            file = stack.enter_context(h5py.File(path, "r"))
            seal_hdf5(file, path)
            source = Robomimic(file, path)
        yield source


@contextmanager
def _replay_zarr(path: Path) -> Iterator[Source]:
    zarr = _optional("zarr", path)

    with ExitStack() as stack:
        with reading(path, DAMAGED):
            store = zarr_store(path)
            stack.callback(store.close)
            source = ReplayZarr(zarr.open_group(store, mode="r"), path)
        yield source


def _optional(package: str, path: Path) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise DataError(f"reading {path.name} needs {package}, not installed here.\n{INSTALL}") from None


def _check_choices(source: Path, state: tuple[str, ...], cameras: dict[str, str], fps: float | None) -> None:
    if not fps:
        raise UsageError(f"{source} does not state its frame rate; give it in frames per second", ["fps"])
    if not 0 < fps <= FASTEST:
        raise UsageError(f"{fps} frames per second: it must be a positive number, {FASTEST} at most", ["fps"])
    if not state:
        raise UsageError(f"{source} has no obvious robot state; name the arrays that make it up", ["state"])
    if not cameras:
        raise UsageError(f"{source} has no images; render them first, or name image arrays as NAME=KEY", ["cameras"])


def _features(frames: Arrays, video: bool) -> dict[str, Feature]:
    features = {}
    for key, values in frames.items():
        if key in (STATE_KEY, ACTION_KEY):
            features[key] = Feature("float32", values.shape[1:], None)
        else:
            dtype = "video" if video else "image"
            features[key] = Feature(dtype, values.shape[1:], ["height", "width", "channels"])
    return features
