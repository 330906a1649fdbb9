"""Decoded images, kept once per content: memory-mapped uint8 arrays (N, H, W, 3) that every process shares.

``$TRUNKZOO_CACHE`` or the user's cache directory holds one directory per (content, camera, image size). It is
built beside its place and renamed, under a lock, so a kill leaves nothing half and two processes build once.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trunkzoo.data.digest import file_digest, sealed, unchanged
from trunkzoo.data.lerobot.images import Block, image_blocks
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.lerobot.video import Frame
from trunkzoo.data.reading import reading
from trunkzoo.errors import DataError
from trunkzoo.system.files import new_directory, sync
from trunkzoo.system.locks import acquire
from trunkzoo.system.places import cache_root
from trunkzoo.system.progress import progress

FORMAT = 2
SMALL = 64 * 64  # pixels; below, two threads decode slower than one
FRAMES, SEAL = "frames.npy", "frames.seal"
Frames = NDArray[np.uint8]  # (N, H, W, 3)


def open_frames(reader: LeRobotReader, identities: Mapping[str, str], size: tuple[int, int]) -> dict[str, Frames]:
    """Memory-mapped, read-only images (N, H, W, 3) of some cameras at ``size`` (height, width).

    ``identities`` has :func:`identity_of` each camera at that size, by the key of its feature. Builds what is not in
    the cache, with a progress bar. Images of another size are resized (bilinear with antialiasing, each side on its
    own).

    Raises:
        DataError: a source file is missing or damaged, or the cache cannot be written.
    """
    places = {key: cache_root() / "frames" / identity for key, identity in identities.items()}
    missing = {key: place for key, place in places.items() if not place.exists()}
    if missing:
        _build(reader, missing, size)
    return {key: _map(place, (len(reader), *size, 3)) for key, place in places.items()}


def identity_of(reader: LeRobotReader, key: str, size: tuple[int, int]) -> str:
    """A hash of what decides a camera's pixels: the contents of its files and their order."""
    feature = reader.info.features[key]
    files = reader.data_files if feature.dtype == "image" else (*reader.video_files(key), *reader.data_files)
    digests = [file_digest(path, cache_root() / "digests") for path in files]
    places = [[ep.start, ep.stop, ep.row.get(f"videos/{key}/from_timestamp")] for ep in reader.episodes]
    return hashlib.blake2b(repr((FORMAT, key, size, digests, places)).encode(), digest_size=16).hexdigest()


def _lock(place: Path) -> IO[str]:
    """The lock of one cache, held until it is closed."""
    try:
        return acquire(place.with_suffix(".lock"))
    except OSError as error:
        raise DataError(f"the cache {place.parent} cannot be written ({error.strerror}); set TRUNKZOO_CACHE") from None


def _build(reader: LeRobotReader, missing: Mapping[str, Path], size: tuple[int, int]) -> None:
    """Decode several cameras side by side, each under its lock, taken in one order by every process."""
    work: list[tuple[Block, Frames]] = []
    stagings: list[Path] = []
    with ExitStack() as stack:
        # one order for all processes, or two could wait for each other's locks
        for key, place in sorted(missing.items(), key=lambda item: item[1]):
            stack.enter_context(_lock(place))
            if place.exists():  # another process has built it while this one waited
                continue
            staging = stack.enter_context(new_directory(place))
            stagings.append(staging)
            frames = _allocate(staging / FRAMES, (len(reader), *size, 3))
            work += [(block, frames) for block in image_blocks(reader, key)]
        _decode(work, size, _threads(reader.info.features[key].image_size for key in missing))
        for staging in stagings:
            sync(staging / FRAMES)  # or its time stamp would change after it is noted
            (staging / SEAL).write_text(sealed(staging / FRAMES))


def _decode(work: Sequence[tuple[Block, Frames]], size: tuple[int, int], threads: int) -> None:
    """Fill the arrays with the parts' images; the first error stops the rest."""
    total, stop = sum(len(block.rows) for block, _ in work), Event()
    with progress("decoding images", total) as advance, ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(_fill, block, frames, size, stop) for block, frames in work]
        try:
            for job in as_completed(jobs):
                advance(job.result())
        except BaseException:  # Ctrl-C too, which must not wait for a long video
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _fill(block: Block, frames: Frames, size: tuple[int, int], stop: Event) -> int:
    """Write one part's images to their rows, until ``stop``; returns how many there are."""
    for row, image in block.read(block.rows):
        frames[row] = resize(image, size)
        if stop.is_set():
            break
    return len(block.rows)


def resize(image: Frame, size: tuple[int, int]) -> Frame:
    """``image`` (H, W, 3) at ``size`` (height, width)."""
    if image.shape[:2] == tuple(size):
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _allocate(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new array file whose blocks are reserved, so that a full disk is an error here and not a crash later."""
    try:
        frames = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)  # type: ignore[no-untyped-call]
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        need = math.prod(shape) / 1e6
        raise DataError(
            f"the image cache needs {need:.1f} MB in {cache_root()} ({error.strerror}); free some space or set "
            "TRUNKZOO_CACHE"
        ) from None
    return frames  # type: ignore[no-any-return]  # numpy does not annotate open_memmap


def _map(place: Path, shape: tuple[int, ...]) -> Frames:
    with reading(place, "this image cache is damaged; delete it and run again"):
        frames: Frames = np.lib.format.open_memmap(place / FRAMES, mode="r")  # type: ignore[no-untyped-call]
        if frames.shape != shape or frames.dtype != np.uint8 or not frames.flags.c_contiguous:
            raise DataError(f"the image cache {place} holds {frames.shape}, expected {shape}; delete it and run again")
        if not unchanged(place / FRAMES, (place / SEAL).read_text(errors="replace")):
            raise DataError(f"the image cache {place} was changed after it was written; delete it and run again")
    return frames


def _threads(sizes: Iterable[tuple[int, int]]) -> int:
    """One per core; a single one for images so small that threads would wait for the interpreter's lock all the time."""
    return len(os.sched_getaffinity(0)) if max(map(math.prod, sizes)) >= SMALL else 1
