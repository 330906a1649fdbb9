"""Foreign containers, opened so that no code in them runs and no byte outside them is read.

A zarr array names the codecs that decode it, and one of numcodecs' is pickle. An HDF5 dataset may lie in any other
file (external storage, external links, virtual datasets), and a chunk of a zarr directory may be a link to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkzoo.errors import DataError, printable
from trunkzoo.plain import parse_json

CODECS = frozenset(
    [
        "blosc",
        "zlib",
        "gzip",
        "bz2",
        "lzma",
        "lz4",
        "zstd",
        "delta",
        "fixedscaleoffset",
        "quantize",
        "bitround",
        "astype",
        "packbits",
        "shuffle",
        "crc32",
        "adler32",
        "fletcher32",
        "jenkins_lookup3",
    ]
)
"""numcodecs' codecs that turn bytes or numbers into bytes or numbers."""
_PLAIN_TYPE = re.compile(r"[<>|=]?[biufcSU]\d+")


def zarr_store(path: Path) -> Any:
    """The zarr v2 store at ``path``, a directory or a ZIP file, whose every answer is checked before zarr sees it."""
    import zarr

    kind = zarr.ZipStore if path.is_file() else zarr.DirectoryStore
    options = {"mode": "r"} if path.is_file() else {}

    class SealedStore(kind):  # type: ignore[misc, valid-type]  # which of zarr's two depends on the file
        """Raises DataError instead of handing out what could run code, or bytes of another place."""

        def __getitem__(self, key: str) -> Any:
            if path.is_dir():
                _check_inside(path, key)
            value = super().__getitem__(key)
            if key.rpartition("/")[2] == ".zarray":
                _check_array(parse_json(bytes(value)), f"{path}: {key.rpartition('/')[0]}")
            return value

    return SealedStore(str(path), **options)


def _check_inside(root: Path, key: str) -> None:
    if not (root / key).resolve().is_relative_to(root.resolve()):
        raise DataError(f"{root}: {printable(key)} is a link to another place; a dataset must hold its own bytes")


def _check_array(description: Any, where: str) -> None:
    codecs = [description.get("compressor"), *(description.get("filters") or ())]
    for codec in filter(None, codecs):
        if codec.get("id") not in CODECS:
            raise DataError(
                f"{where} is coded with {printable(ascii(codec.get('id')))}, and only codecs of bytes and numbers are "
                f"decoded ({', '.join(sorted(CODECS))}); save it again with one of these"
            )
    types = [description.get("dtype"), *(codec.get(key) for codec in filter(None, codecs) for key in _TYPE_KEYS)]
    for kind in (kind for kind in types if kind is not None):
        if not (isinstance(kind, str) and _PLAIN_TYPE.fullmatch(kind)):
            raise DataError(f"{where} holds {printable(ascii(kind))}; only plain numbers and texts are read")


_TYPE_KEYS = ("dtype", "astype", "encode_dtype", "decode_dtype")


def seal_hdf5(file: Any, path: Path) -> None:
    """Refuse an open ``h5py.File`` of which any part lies in another file.

    Raises:
        DataError: it names external storage, an external link or a virtual dataset.
    """
    for name, what in _elsewhere(file):
        raise DataError(
            f"{path}: {printable(name)} is {what}, whose data lie in another file; copy them into one file first "
            "(h5repack, or h5py's copy with expand_external=True)"
        )


def _elsewhere(file: Any) -> Iterator[tuple[str, str]]:
    """Every name below ``file`` that stands for data of another file, and what it is. No link is followed."""
    import h5py

    found: list[tuple[str, str]] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            kinds = {link: item.id.links.get_info(link.encode()).type for link in item}
            local = (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT)
            found.extend((f"{name}/{link}", "an external link") for link, kind in kinds.items() if kind not in local)
        elif isinstance(item, h5py.Dataset):
            layout = item.id.get_create_plist()
            if layout.get_external_count():
                found.append((name, "a dataset in external storage"))
            if layout.get_layout() == h5py.h5d.VIRTUAL:
                found.append((name, "a virtual dataset"))

    look("", file)
    file.visititems(look)
    yield from found
