"""``zoo export``: write an agent as a graph that runs without trunkzoo, and prove that it computes the same."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_run
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from trunkzoo.export.record import ExportRecord, Port


class FormatChoice(StrEnum):
    """What a graph is written as."""

    onnx = "onnx"
    torch = "torch"


class OnlyChoice(StrEnum):
    """How much of an agent is written."""

    agent = "agent"
    trunk = "trunk"


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|CKPT",
            help="A run directory, a checkpoint, a model.safetensors, or hf:ORG/NAME[@REVISION].",
            autocompletion=complete_run,
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="New directory: the graph and export.json.")],
    format_: Annotated[
        FormatChoice, typer.Option("--format", help="onnx, or torch: a program of torch.export (takes minutes).")
    ] = FormatChoice.onnx,
    only: Annotated[
        OnlyChoice, typer.Option(help="agent: images, state and noise → actions; trunk: images → feature maps.")
    ] = OnlyChoice.agent,
    json: JsonOption = False,
) -> None:
    """Write one graph from images, state and noise to actions, normalisers inside, for any batch size.

    The graph is then run beside the agent on frames of its task, with its own weights and with perturbed ones; a difference
    above 1e-5 of the action range is an error, and nothing is written. export.json has the inputs, their shapes and ranges,
    the contract, where the weights come from, and the differences found. onnxruntime alone acts with it.

    Example: zoo export runs/resnet -o exports/resnet
    """
    from trunkzoo.export.export import export_checkpoint
    from trunkzoo.registry import open_zoo

    say = (lambda stage: None) if json else (lambda stage: note(f"{stage} …"))
    record = export_checkpoint(checkpoint, out, open_zoo().catalogue, format_.value, only.value, say)
    if json:
        emit_json({"directory": str(out), **record.model_dump(mode="json")})
        return
    _show(record, out)


def _show(record: ExportRecord, out: Path) -> None:
    ports = [("in", port) for port in record.inputs] + [("out", port) for port in record.outputs]
    emit_table(
        ("", "name", "type", "shape", "range", "meaning"),
        [
            (way, port.name, port.dtype, " × ".join(map(str, port.shape)), _range(port), port.meaning)
            for way, port in ports
        ],
        title=f"{out / record.file}" + (f", ONNX opset {record.opset}" if record.opset else ", torch.export"),
    )
    for parity in record.parity:
        note(
            f"parity on {parity.weights} weights: differs by at most {parity.error:.1e} of the output's range, which the "
            f"outputs fill to {parity.spread:.2f}; batches of {', '.join(map(str, parity.batches))}, {parity.observations}"
        )


def _range(port: Port) -> str:
    if not port.low:
        return "–"
    low, high = min(port.low), max(port.high)
    return f"{low:g} … {high:g}"
