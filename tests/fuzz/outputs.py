"""Fuzzed readers of what trunkzoo writes and others may have edited: runs, rows, exports, messages, folders of a hub."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from trunkzoo.errors import ZooError
from trunkzoo.export.record import read_export
from trunkzoo.hub.descriptions import described
from trunkzoo.hub.names import folder_name
from trunkzoo.plugin import Contract
from trunkzoo.report.curves import write_curves
from trunkzoo.rollouts.rows import RowFile
from trunkzoo.rollouts.scores import summary_of
from trunkzoo.serving.server import window_of
from trunkzoo.serving.wire import pack, unpack
from trunkzoo.training.directory import METRICS, RUN, check_same_run
from trunkzoo.training.runs import checkpoint_scores, facts_of_run


def output_targets(folder: Path, contract: Contract) -> Mapping[str, Callable[[bytes], None]]:
    """The targets by the name of their corpus; they work in ``folder``."""
    run, export = folder / "run", folder / "export"
    (run / "checkpoints" / "step-000004").mkdir(parents=True)
    (run / "checkpoints" / "step-000004" / "manifest.json").write_text("{}")
    (run / RUN).write_text((Path(__file__).parent / "corpus" / "run" / "whole.json").read_text())
    export.mkdir()
    (export / "agent.onnx").write_bytes(b"graph")
    return {
        "metrics": lambda text: _metrics(run, text),
        "run": lambda text: _run(run, text),
        "results": lambda text: _results(run / "checkpoints" / "step-000004" / "eval-agent.jsonl", text),
        "export": lambda text: _export(export, text),
        "message": lambda text: _message(contract, text),
        "hub": _hub,
    }


def _metrics(run: Path, text: bytes) -> None:
    (run / METRICS).write_bytes(text)
    facts_of_run(run)
    checkpoint_scores(run)
    with contextlib.suppress(ZooError):
        write_curves([run], run.parent / "curves.html")


def _run(run: Path, text: bytes) -> None:
    whole = (run / RUN).read_bytes()
    (run / RUN).write_bytes(text)
    try:
        facts_of_run(run).to_dict()
        with contextlib.suppress(ZooError):
            check_same_run(run, {"recipe": {}, "seed": 0, "data": {"content": {}}})
    finally:
        (run / RUN).write_bytes(whole)


def _results(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    facts_of_run(file.parents[2])
    checkpoint_scores(file.parents[2])
    with contextlib.suppress(ZooError), RowFile(file, {}) as rows:
        if found := list(rows.rows_of(range(100)).values()):
            summary_of(found)


def _export(folder: Path, text: bytes) -> None:
    (folder / "export.json").write_bytes(text)
    with contextlib.suppress(ZooError):
        read_export(folder)[1].header().contract.sum_line()


def _message(contract: Contract, text: bytes) -> None:
    with contextlib.suppress(ZooError):
        message = unpack(text)
        window_of(message, contract)
        pack(message)


def _hub(text: bytes) -> None:
    name, _, rest = text.decode("utf-8", "surrogateescape").partition("\n")
    with contextlib.suppress(ZooError):
        assert "/" not in folder_name(name, "0" * 40)
    described(*rest.partition("\n---\n")[::2])
