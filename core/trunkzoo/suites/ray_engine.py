"""Cells on a Ray cluster, an existing one or a local one. What a node does not see of the suite's directory travels."""

from __future__ import annotations

import logging
import math
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trunkzoo.errors import UsageError, one_line
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.engine import POLL_SECONDS, Attempts, Failure, Tick, has_room
from trunkzoo.suites.layout import LOG
from trunkzoo.suites.ray_cell import run_directory, sees
from trunkzoo.suites.travel import inputs_of, pack
from trunkzoo.system.files import write_text

_MARK = ".seen-by"  # a file beside the cells by which a node knows the directory
_ASK_SECONDS = 60.0


def _stay_on_loopback() -> None:
    """Before Ray is imported: what we start ourselves is reached from this machine alone, as Ray does it on Windows.

    Whoever joins a cluster has asked for addresses that others see.
    """
    started = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray" / "ray_current_cluster"
    if not os.environ.get("RAY_ADDRESS") and not started.exists():
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


class RayEngine:
    """Connects to the cluster of ``RAY_ADDRESS`` or the last one started here; starts a local one if there is none.

    The local one has no dashboard and listens on the loopback address only. Nodes that do not see the suite's directory
    get what a cell reads, and what it writes comes back as it is written, so that a node may be lost at any time.
    """

    def __init__(self, gpus_per_training: float = 0.0, slots: float = math.inf) -> None:
        _stay_on_loopback()
        try:
            import ray
        except ImportError:
            raise UsageError("the ray engine needs Ray: pip install 'trunkzoo[ray]'", ["engine"]) from None
        self._ray: Any = ray  # untyped
        self._gpus, self._slots = gpus_per_training, slots
        self._parcels: dict[tuple[Path, str], Any] = {}
        self._travels: bool | None = None  # whether some node lacks the suite's directory; None until all were asked
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """See :class:`trunkzoo.suites.engine.Engine`.

        Raises:
            UsageError: a cell asks for more than any node has; Ray would wait for such a node for ever.
            DataError: something arrived damaged.
        """
        attempts, waiting, running = Attempts(), list(cells), dict[Any, Cell]()
        self._parcels.clear()
        self._travels = None
        for cell in cells:
            self._require_room(cell)
        while waiting or running:
            while waiting and has_room(waiting[0], list(running.values()), self._slots):
                cell = waiting.pop(0)
                running[self._submit(cell)] = cell
            ready, _ = self._ray.wait(list(running), timeout=POLL_SECONDS)
            for stream in ready:
                cell = running[stream]
                last_words = self._receive(stream, cell)
                if last_words is None:
                    continue
                del running[stream]
                if attempts.again(cell, last_words):
                    self._travels = None  # it may have been another node than those that were asked
                    waiting.insert(0, cell)
            tick([cell for cell in running.values() if (cell.directory / LOG).exists()])
        return attempts.failures

    def _gpus_of(self, cell: Cell) -> float:
        return self._gpus if cell.kind == "train" else 0.0

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _require_room(self, cell: Cell) -> None:
        need = {"CPU": cell.slots, "GPU": self._gpus_of(cell)}
        nodes = [node["Resources"] for node in self._nodes()]
        if not any(all(node.get(name, 0) >= count for name, count in need.items()) for node in nodes):
            raise UsageError(
                f"no node of the Ray cluster has {need['CPU']} CPUs and {need['GPU']:g} GPUs for '{cell.title}': lower "
                "the cores used at once or the suite's gpus_per_training, or add a node",
                ["parallel"],
            )

    def _submit(self, cell: Cell) -> Any:
        cell.prepare()
        mark = (cell.home / _MARK).resolve()
        if not mark.is_file():
            write_text(mark, secrets.token_hex(16))
        content = mark.read_text(encoding="utf-8")
        if self._travels is None:
            self._travels = not self._all_see(str(mark), content)
        parcels = [self._put(cell, *each) for each in inputs_of(cell)] if self._travels else []
        remote = self._ray.remote(
            num_cpus=cell.slots,
            num_gpus=self._gpus_of(cell),
            max_retries=0,
            num_returns="streaming",
            scheduling_strategy="SPREAD",
        )(run_directory)
        return remote.options(name=cell.title).remote(str(mark), content, str(cell.directory.resolve()), parcels)

    def _all_see(self, mark: str, content: str) -> bool:
        """Whether every node sees the suite's directory; one that does not answer does not."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ask = self._ray.remote(num_cpus=0, max_retries=0)(sees)
        places = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in self._nodes()]
        asked = [ask.options(scheduling_strategy=place).remote(mark, content) for place in places]
        try:
            return all(self._ray.get(asked, timeout=_ASK_SECONDS))
        except self._ray.exceptions.RayError:
            return False

    def _put(self, cell: Cell, path: Path, without: str) -> Any:
        """A reference to what lies at ``path``; what other cells read too is packed once."""
        if path.is_relative_to(cell.directory):  # its own, which changes
            return self._ray.put(pack(cell.home, path, without))
        if (path, without) not in self._parcels:
            self._parcels[path, without] = self._ray.put(pack(cell.home, path, without))
        return self._parcels[path, without]

    def _receive(self, stream: Any, cell: Cell) -> str | None:
        """Take what has come of a cell; its last words, or None while it goes on."""
        try:
            item = self._ray.get(next(stream))
        except StopIteration:
            return "it ended without a word"
        except self._ray.exceptions.RayError as error:  # the node or its worker died, not only the cell
            return f"Ray: {one_line(getattr(error, 'cause', None) or error)}"
        if isinstance(item, str):
            return item
        item.unpack(cell.home)
        return None
