"""Export an agent: write its graph, hold it against the agent, and put what is known beside it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from trunkzoo.agent.agent import Agent
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent, read_header
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.parts import use_of
from trunkzoo.export.graph import Graph, graph_of
from trunkzoo.export.observations import windows_of
from trunkzoo.export.onnx_file import Runner, inputs_read, onnx_runner, require_onnx, write_onnx
from trunkzoo.export.parity import BATCHES, compare, perturbed
from trunkzoo.export.program import program_runner, write_program
from trunkzoo.export.record import OPSET, RECORD, ExportFormat, ExportRecord, ExportScope, Weights, sha256_of
from trunkzoo.system.files import new_directory, readable_os_errors
from trunkzoo.system.versions import library_versions

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
Say = Callable[[str], None]


def export_checkpoint(
    path: str | Path,
    output: Path,
    catalogue: Catalogue,
    format: ExportFormat = "onnx",
    scope: ExportScope = "agent",
    say: Say = lambda stage: None,
) -> ExportRecord:
    """Export the agent of a run, a checkpoint or a lone ``model.safetensors`` into the new directory ``output``.

    The graph is compared with the agent twice, on its own weights and on perturbed ones; where they differ nothing is
    written. ``say`` hears what is done next.

    Raises:
        UsageError: ``output`` exists, or there is no such checkpoint.
        CheckpointError: the checkpoint is damaged or does not fit.
        PluginError: a package is absent, or a trunk or head cannot be exported.
        ExportError: the graph and the agent differ.
    """
    file = model_file(Path(path))
    say("loading the agent")
    agent = load_agent(file, catalogue)
    return export_agent(agent, output, catalogue, format, scope, read_header(file).step, sha256_of(file), say)


def export_agent(
    agent: Agent,
    output: Path,
    catalogue: Catalogue,
    format: ExportFormat = "onnx",
    scope: ExportScope = "agent",
    step: int = 0,
    source_sha256: str | None = None,
    say: Say = lambda stage: None,
) -> ExportRecord:
    """Export an agent on the CPU with fitted normalisers; see :func:`export_checkpoint`."""
    if format == "onnx":
        require_onnx("onnx", "onnxruntime")
    say("observations for the comparison")
    window, observations = windows_of(agent, catalogue, max(BATCHES))
    agent.eval()
    agent.predict({key: values[:1] for key, values in window.items()})  # what is wrong with it, before minutes pass
    twin = graph_of(perturbed(agent), scope)
    graph = graph_of(agent, scope)
    with readable_os_errors(output), new_directory(output) as folder:
        file = folder / f"{scope}{SUFFIXES[format]}"
        parity = []
        graphs: dict[Weights, Graph] = {"perturbed": twin, "real": graph}
        for weights, one in graphs.items():
            say(f"graph with {weights} weights")
            runner = _write(one, file, format)
            say(f"parity on {weights} weights")
            parity.append(compare(one, runner, weights, window, observations))
        read = inputs_read(file, [port.name for port in graph.inputs()]) if format == "onnx" else None
        record = ExportRecord(
            format=format,
            scope=scope,
            file=file.name,
            sha256=sha256_of(file),
            opset=OPSET if format == "onnx" else None,
            inputs=tuple(port for port in graph.inputs() if read is None or port.name in read),
            outputs=tuple(graph.outputs()),
            contract=agent.contract,
            parity=tuple(parity),
            source_sha256=source_sha256,
            step=step,
            recipe=agent.recipe.model_dump(mode="json"),
            plugins=tuple(use_of(part).model_dump() for part in agent.parts),
            versions=library_versions() | ({name: version(name) for name in ("onnx", "onnxruntime")} if read else {}),
        )
        (folder / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return record


def _write(graph: Graph, file: Path, format: ExportFormat) -> Runner:
    if format == "onnx":
        write_onnx(graph, file)
        return onnx_runner(file)
    write_program(graph, file)
    return program_runner(file, [port.name for port in graph.inputs()])
