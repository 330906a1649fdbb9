"""Parity: the same observations through the exported graph and through the agent in eager torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.errors import ExportError
from trunkzoo.export.graph import NOISE, Graph
from trunkzoo.export.onnx_file import Numbers, Runner
from trunkzoo.export.record import Parity, Port, Weights
from trunkzoo.plugin.contract import STATE_KEY

BATCHES = (1, 3, 5)
"""Batch sizes compared; none is the one that was traced."""
TOLERANCE = 1e-5
_LEAST_SPREAD = 1e-3


@torch.no_grad()
def perturbed(agent: Agent) -> Agent:
    """A copy with noise on every weight: a fresh agent gives zeros, which any graph would."""
    twin = copy.deepcopy(agent)
    generator = torch.Generator().manual_seed(0)
    for parameter in twin.parameters():
        deviation = 0.3 * parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.05
        parameter.add_(deviation * torch.randn(parameter.shape, generator=generator).to(parameter))
    return twin


def compare(
    graph: Graph,
    runner: Runner,
    weights: Weights,
    window: Mapping[str, Tensor],
    observations: str,
) -> Parity:
    """Run both on ``window`` (at least ``max(BATCHES)`` samples), for every batch size.

    Raises:
        ExportError: they differ by more than 1e-5 of the output's range, or perturbed weights gave constant outputs,
            which compare nothing.
    """
    arrays, ports = _inputs(graph, window), graph.outputs()
    eager: tuple[Numbers, ...] = ()
    error = 0.0
    for size in BATCHES:
        batch = {name: values[:size] for name, values in arrays.items()}
        eager = _eager(graph, batch)
        for port, mine, other in zip(ports, eager, runner(batch), strict=True):
            error = max(error, _difference(port, mine, other))
    spread = float(np.mean([_spread(port, values) for port, values in zip(ports, eager, strict=True)]))
    found = Parity(weights=weights, batches=BATCHES, error=error, spread=spread, observations=observations)
    _judge(found)
    return found


def _judge(found: Parity) -> None:
    if found.error > TOLERANCE:
        raise ExportError(
            f"the graph differs from the agent by {found.error:.2g} of the output's range on {found.weights} weights; "
            f"at most {TOLERANCE:g} is exact enough: does the trunk or head branch on sizes or values?"
        )
    if found.weights == "perturbed" and found.spread < _LEAST_SPREAD:
        raise ExportError(f"perturbed weights give outputs that hardly move ({found.spread:.2g}): nothing was compared")


def _inputs(graph: Graph, window: Mapping[str, Tensor]) -> dict[str, Numbers]:
    size = len(window[STATE_KEY])
    generator = torch.Generator().manual_seed(1)
    arrays = {}
    for port in graph.inputs():
        shape = (size, *(int(n) for n in port.shape[1:]))
        values = torch.randn(shape, generator=generator) if port.name == NOISE else window[port.name]
        arrays[port.name] = (values if values.dim() == len(shape) else values[:, -1]).numpy()  # a trunk sees no history
    return arrays


@torch.no_grad()
def _eager(graph: Graph, batch: Mapping[str, Numbers]) -> tuple[Numbers, ...]:
    return tuple(out.numpy() for out in graph(*(torch.from_numpy(values) for values in batch.values())))


def _difference(port: Port, mine: Numbers, other: Numbers) -> float:
    if mine.shape != other.shape:
        raise ExportError(f"the graph gives '{port.name}' as {other.shape}, the agent as {mine.shape}")
    if not (np.isfinite(mine).all() and np.isfinite(other).all()):
        raise ExportError(f"'{port.name}' is not finite; were the weights trained on finite losses?")
    return float((np.abs(mine - other) / _width(port, mine)).max())


def _spread(port: Port, values: Numbers) -> float:
    axes: Sequence[int] = range(values.ndim - 1 if port.low else values.ndim)
    return float((values.std(axis=tuple(axes)) / _width(port, values)).mean())


def _width(port: Port, values: Numbers) -> Numbers:
    """The range of an output: what the port says, else what ``values`` fill."""
    range_ = np.subtract(port.high, port.low) if port.low else np.ptp(values)
    return np.asarray(np.maximum(range_, np.finfo(np.float32).tiny))
