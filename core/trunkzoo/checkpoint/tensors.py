"""Writing and reading safetensors files: byte-reproducible, synced, and hashed while they are written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trunkzoo.checkpoint.checksum import Checksum
from trunkzoo.checkpoint.manifest import Fingerprint
from trunkzoo.errors import CheckpointError
from trunkzoo.system.files import begin_writeback

_AHEAD = 1 << 22  # bytes after which the disk is set to work, so that the sync at the end waits for little
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Fingerprint:
    """Write, sync and fingerprint a safetensors file; equal content gives equal bytes.

    The library's own writer orders metadata at random, and its file would have to be read again for the checksum.

    Raises:
        CheckpointError: a tensor has a dtype that the format lacks.
    """
    total, size, begun = Checksum(), 0, 0
    with path.open("wb") as stream:
        for piece in _pieces(tensors, metadata):
            total.update(piece)
            size += stream.write(piece)
            if size - begun >= _AHEAD:
                begin_writeback(stream.fileno(), begun, size)
                begun = size
        stream.flush()
        os.fsync(stream.fileno())
    return Fingerprint(size, total.hexdigest())


def _pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[memoryview | bytes]:
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # widest first keeps data aligned
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in names:
        tensor = tensors[name]
        if tensor.dtype not in _DTYPES:
            raise CheckpointError(
                f"'{name}' is {tensor.dtype}, which checkpoints do not hold; register it as real numbers"
            )
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # safetensors pads the header so that tensors start aligned
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        yield tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, on the CPU.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
