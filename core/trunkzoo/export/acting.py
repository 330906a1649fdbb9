"""An exported agent that acts: the same queue and history as an agent, chunks by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from trunkzoo.agent.acting import Acting
from trunkzoo.agent.agent import check_numbers, check_window
from trunkzoo.export.graph import NOISE
from trunkzoo.export.onnx_file import Runner, onnx_runner
from trunkzoo.export.record import ExportRecord, read_export
from trunkzoo.plugin.contract import STATE_KEY, Contract


class ExportedAgent(Acting):
    """Acts on the CPU as the agent that was exported; images are uint8."""

    def __init__(self, record: ExportRecord, runner: Runner) -> None:
        super().__init__(record.contract)
        self.record, self._runner = record, runner

    @property
    def contract(self) -> Contract:
        """The numbers of the agent that was exported."""
        return self.record.contract

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def predict(
        self, obs: Mapping[str, Tensor], noise: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """A chunk (B, pred_horizon, action_dim) in raw units; see :meth:`Agent.predict` for what it takes and raises."""
        check_window(obs, self.contract)
        check_numbers(obs, self.contract)
        keys = (*self.contract.image_keys, STATE_KEY)
        start = self.start_noise(len(obs[STATE_KEY]), noise, generator)
        (chunk,) = self._runner({key: obs[key].numpy() for key in keys} | {NOISE: start.numpy()})
        return torch.from_numpy(chunk)


def load_export(path: str | Path, threads: int = 1) -> ExportedAgent:
    """The agent of an export, given its folder or its ``agent.onnx``.

    Raises:
        UsageError: nothing is there, or an export that does not act here.
        CheckpointError: it is damaged.
        PluginError: onnxruntime is not installed.
    """
    graph, record = read_export(Path(path))
    record.require_acting(graph)
    return ExportedAgent(record, onnx_runner(graph, threads))
