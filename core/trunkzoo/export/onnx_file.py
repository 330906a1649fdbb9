"""ONNX: writing a graph, and running it with onnxruntime on one thread."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.errors import PluginError, install_command
from trunkzoo.export.graph import Graph, example
from trunkzoo.export.record import BATCH, OPSET
from trunkzoo.export.tracing import Constants

Numbers = NDArray[Any]
Runner = Callable[[Mapping[str, Numbers]], tuple[Numbers, ...]]
"""Arrays by input name → the outputs in their order. Names that the graph does not read are passed over."""


def require_onnx(*names: str) -> None:
    """Return if these packages are installed; PluginError with the line that installs them otherwise."""
    absent = [name for name in names if find_spec(name) is None]
    if absent:
        raise PluginError(f"ONNX needs {' and '.join(absent)}: {install_command('trunkzoo[onnx]')}")


@torch.no_grad()
def write_onnx(graph: Graph, path: Path) -> None:
    """Write a graph with a free batch size and its weights inside.

    By torch's tracing exporter: what it makes in seconds, the newer one by ``torch.export`` makes in minutes, almost all
    spent on proofs about the free batch size, and the graphs that came out were no faster. What a trace may get wrong,
    a batch size or a branch that it froze, is what parity is looked at for.

    Raises:
        PluginError: onnx is not installed, or the trunk or head does something that ONNX cannot express.
    """
    require_onnx("onnx")
    import onnx  # an extra

    inputs, outputs = graph.inputs(), graph.outputs()
    names = [port.name for port in (*inputs, *outputs)]
    with plugin_code("the export to ONNX"), warnings.catch_warnings(), Constants(cast(nn.Module, graph)):
        warnings.simplefilter("ignore")  # of each shape that becomes a constant, and that the exporter is the older one
        torch.onnx.export(
            cast(nn.Module, graph),
            example(inputs),
            str(path),
            dynamo=False,
            # the module is in eval mode; EVAL would also fold batch norms into convolutions, in place and wrongly
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=OPSET,
            input_names=names[: len(inputs)],
            output_names=names[len(inputs) :],
            dynamic_axes={name: {0: BATCH} for name in names},
        )
        onnx.checker.check_model(str(path))


def onnx_runner(path: Path, threads: int = 1) -> Runner:
    """Run the graph at ``path`` on the CPU.

    Raises:
        PluginError: onnxruntime is not installed, or refuses the file.
    """
    require_onnx("onnxruntime")
    import onnxruntime as ort  # an extra

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    with plugin_code(f"onnxruntime on {path}"):
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    read = [port.name for port in session.get_inputs()]

    def run(arrays: Mapping[str, Numbers]) -> tuple[Numbers, ...]:
        with plugin_code(f"onnxruntime on {path}"):
            return tuple(session.run(None, {name: np.ascontiguousarray(arrays[name]) for name in read}))

    return run


def inputs_read(path: Path, names: Sequence[str]) -> list[str]:
    """Which of ``names`` the graph asks for, in their order: the exporter may drop an input that decides nothing."""
    import onnx  # an extra

    asked = {port.name for port in onnx.load(str(path), load_external_data=False).graph.input}
    return [name for name in names if name in asked]
