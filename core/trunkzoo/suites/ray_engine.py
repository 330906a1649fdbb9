"""Cells on a Ray cluster, an existing one or a local one. All nodes must see the suite's directory."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trunkzoo.errors import UsageError
from trunkzoo.suites.cells import Cell, read_cell
from trunkzoo.suites.engine import POLL_SECONDS, Attempts, Failure, Tick, has_room
from trunkzoo.suites.layout import LOG
from trunkzoo.suites.process import CellProcess


def run_directory(directory: str) -> str:
    """Run one cell in a process on this node and return its last words; the worker process stays clean."""
    process = CellProcess(read_cell(Path(directory)))
    process.wait()
    return process.last_words()


def _stay_on_loopback() -> None:
    """Before Ray is imported: what we start ourselves is reached from this machine alone, as Ray does it on Windows.

    Whoever joins a cluster has asked for addresses that others see.
    """
    started = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray" / "ray_current_cluster"
    if not os.environ.get("RAY_ADDRESS") and not started.exists():
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


class RayEngine:
    """Connects to the cluster of ``RAY_ADDRESS`` or the last one started here; starts a local one if there is none.

    The local one has no dashboard and listens on the loopback address only.
    """

    def __init__(self, gpus_per_training: float = 0.0, slots: float = math.inf) -> None:
        _stay_on_loopback()
        try:
            import ray
        except ImportError:
            raise UsageError("the ray engine needs Ray: pip install 'trunkzoo[ray]'", ["engine"]) from None
        self._ray: Any = ray  # untyped
        self._gpus, self._slots = gpus_per_training, slots
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """See :class:`trunkzoo.suites.engine.Engine`.

        Raises:
            UsageError: a cell asks for more than any node has; Ray would wait for such a node for ever.
        """
        attempts, waiting, running = Attempts(), list(cells), dict[Any, Cell]()
        for cell in cells:
            self._require_room(cell)
        while waiting or running:
            while waiting and has_room(waiting[0], list(running.values()), self._slots):
                cell = waiting.pop(0)
                running[self._submit(cell)] = cell
            ready, _ = self._ray.wait(list(running), timeout=POLL_SECONDS)
            for future in ready:
                cell = running.pop(future)
                if attempts.again(cell, self._reason(future)):
                    waiting.insert(0, cell)
            tick([cell for cell in running.values() if (cell.directory / LOG).exists()])
        return attempts.failures

    def _gpus_of(self, cell: Cell) -> float:
        return self._gpus if cell.kind == "train" else 0.0

    def _require_room(self, cell: Cell) -> None:
        need = {"CPU": cell.slots, "GPU": self._gpus_of(cell)}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(name, 0) >= count for name, count in need.items()) for node in nodes):
            raise UsageError(
                f"no node of the Ray cluster has {need['CPU']} CPUs and {need['GPU']:g} GPUs for '{cell.title}': lower "
                "the cores used at once or the suite's gpus_per_training, or add a node",
                ["parallel"],
            )

    def _submit(self, cell: Cell) -> Any:
        cell.prepare()
        gpus = self._gpus_of(cell)
        remote = self._ray.remote(num_cpus=cell.slots, num_gpus=gpus, max_retries=0)(run_directory)
        return remote.options(name=cell.title).remote(str(cell.directory.resolve()))

    def _reason(self, future: Any) -> str:
        try:
            return str(self._ray.get(future))
        except self._ray.exceptions.RayError as error:  # the node or its worker died, not only the cell
            return f"Ray: {error}"
