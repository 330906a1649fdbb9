"""A ``torch.export`` program: a graph that torch runs without trunkzoo, or that its compilers take."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.export.graph import Graph, example
from trunkzoo.export.onnx_file import Numbers, Runner

_MOST = 4096  # samples in a batch


@torch.no_grad()
def write_program(graph: Graph, path: Path) -> None:
    """Write a graph with a free batch size, as ``torch.export.load`` reads it.

    Raises:
        PluginError: the trunk or head does something that ``torch.export`` cannot trace.
    """
    tensors = example(graph.inputs())
    batch = torch.export.Dim("batch", min=1, max=_MOST)
    with plugin_code("the export by torch.export"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            cast(nn.Module, graph), tensors, dynamic_shapes=(tuple({0: batch} for _ in tensors),)
        )
        torch.export.save(program, path)


def program_runner(path: Path, names: list[str]) -> Runner:
    """Run the program at ``path``, whose inputs are ``names``, in eager torch."""
    module: Any = torch.export.load(path).module()

    @torch.no_grad()
    def run(arrays: Mapping[str, Numbers]) -> tuple[Numbers, ...]:
        return tuple(out.numpy() for out in module(*(torch.from_numpy(arrays[name]) for name in names)))

    return run
