"""The header of ``model.safetensors``: all that rebuilds the agent, read without torch and without the weights.

A safetensors file is an 8-byte little-endian length, that many bytes of JSON, then the raw tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, NonNegativeInt, PositiveInt

from trunkzoo.catalogue.part import RecordKind
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.migrations import FORMAT, migrate
from trunkzoo.errors import CheckpointError, ConfigError
from trunkzoo.plain import parse_json
from trunkzoo.plugin.config import Config, parse
from trunkzoo.plugin.contract import Contract
from trunkzoo.system.files import regular

HEADER_START = 8  # bytes of the length in front of the header
_MOST_AXES = 64  # of a tensor in torch
_JSON_FIELDS = ("recipe", "contract", "plugins", "versions")


class PluginUse(Config):
    """A part of the agent and the installed package it came from."""

    kind: RecordKind = Field(description="what part of the agent it is")
    id: str = Field(description="plugin/name")
    distribution: str = Field(description="what `pip install` calls the package")
    version: str = Field(description="version of that package")
    api: str = Field(description="major version of the plugin API")


class TensorInfo(Config):
    """One stored tensor."""

    dtype: str = Field(description="safetensors' name, e.g. F32")
    shape: tuple[NonNegativeInt, ...] = Field(description="sizes; empty for a scalar")
    data_offsets: tuple[NonNegativeInt, NonNegativeInt] = Field(description="first and last byte + 1 in the data part")


class CheckpointHeader(Config):
    """What a ``model.safetensors`` says about itself."""

    format: PositiveInt = Field(description="layout of this header")
    step: NonNegativeInt = Field(description="optimiser steps behind these weights")
    recipe: dict[str, Any] = Field(description="the whole recipe, with every default filled in")
    contract: Contract = Field(description="what the agent expects and gives")
    plugins: tuple[PluginUse, ...] = Field(description="packages that built the parts")
    versions: dict[str, str] = Field(description="versions of trunkzoo and its libraries when the file was written")
    tensors: dict[str, TensorInfo] = Field(description="stored tensors by state-dict key")

    @property
    def numbers(self) -> int:
        """Stored numbers: weights, buffers and normaliser statistics."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())


class _PartOutline(Config, extra="ignore"):
    """What every part of a recipe says, in any version of it."""

    name: str
    config: dict[str, Any]


class _RecipeOutline(Config, extra="ignore"):
    """What every recipe says, in any version of it."""

    name: str
    trunk: _PartOutline
    head: _PartOutline


class SafetensorsHeader(NamedTuple):
    """The start of any safetensors file."""

    metadata: dict[str, str]
    tensors: dict[str, Any]
    """Name → dtype, shape and data_offsets."""
    end: int
    """Bytes before the first tensor."""


def read_header(path: str | Path) -> CheckpointHeader:
    """Read what ``path`` (a run or checkpoint directory, or the file itself) says about itself.

    Raises:
        CheckpointError: no such file, not a checkpoint, cut short, or of a format that this version cannot read.
    """
    file = model_file(Path(path))
    return header_of(read_safetensors_header(file), file)


def header_of(raw: SafetensorsHeader, file: Path) -> CheckpointHeader:
    """What the header of ``file`` says about the agent; raises as :func:`read_header` does."""
    metadata, tensors = raw.metadata, raw.tensors
    if "format" not in metadata:
        raise CheckpointError(f"{file} has no trunkzoo header: these are weights of another program, not an agent")
    metadata = migrate(metadata, file)
    try:
        fields = {name: parse_json(metadata[name]) for name in _JSON_FIELDS}
        fields |= {"format": FORMAT, "step": parse_json(metadata["step"]), "tensors": tensors}
    except KeyError as error:
        raise CheckpointError(f"the header of {file} lacks {error}; the file was not written by trunkzoo") from None
    except ValueError as error:
        raise CheckpointError(f"the header of {file} is damaged ({error}); use another checkpoint") from None
    try:
        return parse_header(fields, "header")
    except ConfigError as error:
        raise CheckpointError(f"the header of {file} does not fit its schema: {error}") from None


def parse_header(fields: Mapping[str, Any], where: str) -> CheckpointHeader:
    """What is said of an agent, once it is of the form that every version writes; raises ConfigError if it is not."""
    header = parse(CheckpointHeader, fields, where)
    parse(_RecipeOutline, header.recipe, f"{where}.recipe")
    return header


def read_safetensors_header(file: Path) -> SafetensorsHeader:
    """The metadata and the tensor table of any safetensors file.

    Raises:
        CheckpointError: unreadable, cut short, or no safetensors file.
    """
    try:
        size = file.stat().st_size
        with regular(file).open("rb") as stream:
            length = int.from_bytes(stream.read(HEADER_START), "little")
            text = stream.read(min(length, size))  # a damaged length must not ask for terabytes
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    if size < HEADER_START:
        raise CheckpointError(f"{file} is cut short: {size} bytes hold no safetensors header")
    if text[:1] not in (b"{", b""):  # how the header of every safetensors file begins
        raise CheckpointError(f"{file} is no safetensors file, or its start is damaged; give a model.safetensors")
    header = _parse(text, file) if len(text) == length else None
    needed = HEADER_START + length + (_data_bytes(header, file) if header else 0)
    if header is None or size < needed:
        raise CheckpointError(f"{file} is cut short: {size} bytes, its header announces {needed}; copy it again")
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
        raise CheckpointError(f"the header of {file} has metadata that are no texts: damaged, or no safetensors file")
    return SafetensorsHeader(metadata, header, HEADER_START + length)


def _parse(text: bytes, file: Path) -> dict[str, Any]:
    try:
        header = parse_json(text)
    except ValueError as error:
        raise CheckpointError(f"the header of {file} is no JSON ({error}): damaged, or no safetensors file") from None
    if not isinstance(header, dict):
        raise CheckpointError(f"the header of {file} is JSON but no table: damaged, or no safetensors file")
    return header


def _data_bytes(header: Mapping[str, Any], file: Path) -> int:
    try:
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        if all(_is_tensor(**entry) for entry in tensors):
            return max((entry["data_offsets"][1] for entry in tensors), default=0)
    except TypeError:  # no table, or one of other keys
        pass
    raise CheckpointError(f"the header of {file} describes no tensors: damaged, or no safetensors file")


def _is_tensor(dtype: Any, shape: Any, data_offsets: Any) -> bool:
    """Are these what safetensors says of a tensor? The shape may have no more axes than torch takes."""
    counts = [*shape, *data_offsets]
    return (
        isinstance(dtype, str)
        and isinstance(shape, list)
        and isinstance(data_offsets, list)
        and all(type(count) is int and count >= 0 for count in counts)
        and len(shape) <= _MOST_AXES
        and len(data_offsets) == 2
        and data_offsets[0] <= data_offsets[1]
    )
