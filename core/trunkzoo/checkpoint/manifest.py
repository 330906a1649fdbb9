"""``manifest.json``: sizes and checksums of a checkpoint's files, written last, so its presence means the rest is whole."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trunkzoo.checkpoint.header import HEADER_START, read_safetensors_header
from trunkzoo.checkpoint.layout import MANIFEST
from trunkzoo.errors import CheckpointError


class Fingerprint(NamedTuple):
    """Size and checksum of a file."""

    bytes: int
    checksum: str


def write_manifest(directory: Path, step: int, files: dict[str, Fingerprint]) -> None:
    """Write the manifest of ``directory``."""
    entries = {name: print_._asdict() for name, print_ in files.items()}
    with (directory / MANIFEST).open("w", encoding="utf-8") as stream:
        json.dump({"format": 1, "step": step, "files": entries}, stream, indent=2)


def verify(file: Path) -> bool:
    """Hold a file against the manifest beside it; False if there is none.

    Raises:
        CheckpointError: the manifest is unreadable, or the size or checksum of the file is another.
    """
    manifest = file.parent / MANIFEST
    if not manifest.is_file():
        return False
    try:
        expected = Fingerprint(**json.loads(manifest.read_text(encoding="utf-8"))["files"][file.name])
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{manifest} does not describe {file.name}: it is damaged; use another checkpoint"
        ) from None
    size = file.stat().st_size
    if size != expected.bytes:
        raise CheckpointError(f"{file} has {size} bytes, its manifest says {expected.bytes}: cut short or changed")
    found = _checksum_of(file)
    if found != expected.checksum:
        raise CheckpointError(
            f"{file} is damaged: checksum {found[:12]}…, its manifest says {expected.checksum[:12]}…; use another checkpoint"
        )
    return True


def _checksum_of(file: Path) -> str:
    from trunkzoo.checkpoint.checksum import checksum  # numpy, which reading a header does not need

    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        return checksum(_pieces(file, view))


def _pieces(file: Path, view: memoryview) -> Iterator[memoryview]:
    """The header with its length, then each tensor, as they lie in the file."""
    _, tensors = read_safetensors_header(file)
    start = HEADER_START + int.from_bytes(view[:HEADER_START], "little")
    yield view[:start]
    for low, high in sorted(entry["data_offsets"] for entry in tensors.values()):
        yield view[start + low : start + high]
