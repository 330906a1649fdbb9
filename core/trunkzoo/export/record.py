"""``export.json``: what an exported graph takes and gives, where it comes from, and how near it is. No torch here."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from trunkzoo.checkpoint.header import CheckpointHeader, parse_header
from trunkzoo.checkpoint.migrations import FORMAT
from trunkzoo.errors import CheckpointError, ConfigError, UsageError
from trunkzoo.plain import parse_table
from trunkzoo.plugin.config import Config, parse
from trunkzoo.plugin.contract import Contract
from trunkzoo.system.files import regular

RECORD = "export.json"
OPSET = 18
BATCH: Literal["batch"] = "batch"
"""The name of the free size in shapes."""
ExportFormat = Literal["onnx", "torch"]
ExportScope = Literal["agent", "trunk"]
Weights = Literal["real", "perturbed"]


class Port(Config):
    """One input or output of the graph."""

    name: str = Field(description="the observation's key, noise, action, or features.CAMERA")
    dtype: Literal["uint8", "float32"] = Field(description="type of its numbers")
    shape: tuple[PositiveInt | Literal["batch"], ...] = Field(description="sizes; batch is free")
    meaning: str = Field(description="what it holds")
    low: tuple[float, ...] = Field(default=(), description="low end of its range, one number or one per dimension")
    high: tuple[float, ...] = Field(default=(), description="high end of its range")


class Parity(Config):
    """How far the graph is from the agent in eager torch on one set of weights."""

    weights: Weights = Field(description="the agent's own, or a copy with noise on every weight")
    batches: tuple[PositiveInt, ...] = Field(description="batch sizes compared")
    error: NonNegativeFloat = Field(description="largest difference as a share of the output's range")
    spread: NonNegativeFloat = Field(
        description="deviation of the outputs as a share of that range; 0 compares nothing"
    )
    observations: str = Field(description="what both saw")


class ExportRecord(Config):
    """Everything beside the graph that a user of it needs."""

    record: Literal[1] = Field(default=1, description="layout of this file")
    format: ExportFormat = Field(description="onnx, or a program of torch.export")
    scope: ExportScope = Field(description="the whole agent, or its trunks alone")
    file: str = Field(pattern=r"^[\w-][\w.-]*$", description="the graph, beside this file")
    sha256: str = Field(description="hash of the graph's bytes")
    opset: PositiveInt | None = Field(description="ONNX operator set; none for torch")
    inputs: tuple[Port, ...] = Field(description="what the graph reads; what it ignores is left out")
    outputs: tuple[Port, ...] = Field(description="what it gives")
    contract: Contract = Field(description="what the agent expects and gives")
    parity: tuple[Parity, ...] = Field(description="how near the graph is to the agent")
    source_sha256: str | None = Field(description="hash of the model.safetensors that was exported")
    step: NonNegativeInt = Field(description="optimiser steps behind the weights")
    recipe: dict[str, Any] = Field(description="the agent's whole recipe")
    plugins: tuple[dict[str, str], ...] = Field(description="packages that built the parts; acting needs none of them")
    versions: dict[str, str] = Field(description="versions of the libraries that wrote the graph")

    def header(self) -> CheckpointHeader:
        """The same facts as a checkpoint tells them, without tensors; raises ConfigError if they are none."""
        fields = self.model_dump(include={"step", "recipe", "contract", "plugins", "versions"})
        return parse_header({**fields, "format": FORMAT, "tensors": {}}, "export")

    def require_acting(self, graph: Path) -> None:
        """Raise UsageError unless onnxruntime can act with this graph."""
        if (self.format, self.scope) != ("onnx", "agent"):
            raise UsageError(f"{graph} is a {self.scope} for {self.format}; what acts here is a whole agent as ONNX")


def is_export(path: Path) -> bool:
    """Whether ``path`` means an exported graph: the folder of one, or the graph itself."""
    return (path / RECORD).is_file() or path.suffix in (".onnx", ".pt2")


def read_export(path: Path) -> tuple[Path, ExportRecord]:
    """The graph and the record of an export, given its folder or its graph; the graph's bytes are checked.

    Raises:
        UsageError: nothing is there.
        CheckpointError: the record is absent or damaged, or the graph is not the one that it describes.
    """
    file = (path if path.is_dir() else path.parent) / RECORD
    if not path.exists():
        raise UsageError(f"no export at {path}; `zoo export RUN` makes one")
    try:
        record = parse(ExportRecord, parse_table(regular(file).read_bytes()), "export")
        record.header()  # what only a checkpoint's rules refuse
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}; a graph needs its {RECORD} beside it") from None
    except (ValueError, ConfigError) as error:
        raise CheckpointError(f"{file} is damaged, or of another version of trunkzoo: {error}") from None
    graph = file.parent / record.file
    if path.is_file() and path.name != graph.name:
        raise CheckpointError(f"{file} describes {record.file}, not {path.name}; export again")
    if not graph.is_file() or sha256_of(graph) != record.sha256:
        raise CheckpointError(f"{graph} is absent, or not the graph that {RECORD} describes; copy the folder again")
    return graph, record


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
