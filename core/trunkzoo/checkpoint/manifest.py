"""``manifest.json``: sizes and checksums of a checkpoint's files, written last, so its presence means the rest is whole."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trunkzoo.checkpoint.header import CheckpointHeader, SafetensorsHeader, header_of, read_safetensors_header
from trunkzoo.checkpoint.layout import MANIFEST
from trunkzoo.errors import CheckpointError
from trunkzoo.plain import parse_table


class Fingerprint(NamedTuple):
    """Size and checksum of a file."""

    bytes: int
    checksum: str


def write_manifest(directory: Path, step: int, files: dict[str, Fingerprint]) -> None:
    """Write the manifest of ``directory``."""
    entries = {name: fingerprint._asdict() for name, fingerprint in files.items()}
    with (directory / MANIFEST).open("w", encoding="utf-8") as stream:
        json.dump({"format": 1, "step": step, "files": entries}, stream, indent=2)


def verify(file: Path, header: SafetensorsHeader) -> bool:
    """Hold a file, whose header has been read, against the manifest beside it; False if there is none.

    Raises:
        CheckpointError: the manifest is unreadable, or the size or checksum of the file is another.
    """
    manifest = file.parent / MANIFEST
    if not manifest.is_file():
        return False
    try:
        expected = Fingerprint(**parse_table(manifest.read_bytes())["files"][file.name])
        if not (isinstance(expected.bytes, int) and isinstance(expected.checksum, str)):
            raise TypeError(expected)
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{manifest} does not describe {file.name}: it is damaged; use another checkpoint"
        ) from None
    # first what costs nothing, and tells a file that was cut from one that was changed
    size = file.stat().st_size
    if size != expected.bytes:
        raise CheckpointError(f"{file} has {size} bytes, its manifest says {expected.bytes}: cut short or changed")
    found = _checksum_of(file, header)
    if found != expected.checksum:
        raise CheckpointError(
            f"{file} is damaged: checksum {found[:12]}…, its manifest says {expected.checksum[:12]}…; use another checkpoint"
        )
    return True


def read_verified(file: Path) -> tuple[CheckpointHeader, bool]:
    """The header of a model file, and whether a manifest vouches for its bytes; read once.

    Raises:
        CheckpointError: the file is damaged, or not what its manifest says.
    """
    raw = read_safetensors_header(file)
    verified = verify(file, raw)
    return header_of(raw, file), verified


def _checksum_of(file: Path, header: SafetensorsHeader) -> str:
    from trunkzoo.checkpoint.checksum import checksum  # numpy, which reading a header does not need

    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        return checksum(_pieces(header, view))


def _pieces(header: SafetensorsHeader, view: memoryview) -> Iterator[memoryview]:
    """The header with its length, then each tensor, as they lie in the file."""
    yield view[: header.end]
    for low, high in sorted(entry["data_offsets"] for entry in header.tensors.values()):
        yield view[header.end + low : header.end + high]
