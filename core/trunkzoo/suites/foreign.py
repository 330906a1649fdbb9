"""Cells of policies that other packages train: their own command on the demonstrations, then a plugin's policy plays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import ZooError
from trunkzoo.rollouts import Evaluation, plan, run
from trunkzoo.rollouts.named import named_policy
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import DATA, RUN, report_rows
from trunkzoo.suites.plan import seeds_of
from trunkzoo.system.processes import thread_limits


def train_foreign(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Run the command; what a killed one left is removed first, and the training begins again.

    Raises:
        ZooError: the command cannot be started, fails, or leaves nothing where its output was to be.
    """
    output = (cell.directory / RUN).resolve()
    shutil.rmtree(output, ignore_errors=True)
    collect = next(cell.home.glob(f"collect-*-{cell.inputs['data']}"))
    values = {name: cell.inputs[name] for name in ("episodes", "steps", "batch_size", "seed")}
    command = [
        fill(word, {**values, "data": (collect / DATA).resolve(), "output": output}) for word in command_of(cell)
    ]
    start = time.monotonic()
    try:  # the command has the log of this cell, and is killed when the cell has to leave
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, env={**os.environ, **thread_limits(cell.slots)}, check=False
        ).returncode
    except OSError as error:
        raise ZooError(f"cannot run {command[0]}: {error.strerror}; the suite's table names the command") from None
    if code or not output.exists():
        what = f"ended with {code}" if code else f"left nothing at {output}"
        raise ZooError(f"{command[0]} {what}; its words are in the log above")
    return {"steps": cell.inputs["steps"], "train_seconds": round(time.monotonic() - start, 1)}


def evaluate_foreign(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Play what the training left on the report seeds, and blind if the suite does so."""
    policy = Part.model_validate(cell.inputs["policy"])
    text = f"{policy.name}:{(cell.home / str(cell.inputs['directory']) / RUN).resolve()}"
    acts, task = named_policy(catalogue, text, policy.config), Part.model_validate(cell.inputs["task"])
    seeds = seeds_of(cell.inputs["report"])
    names = ("agent", "blind") if cell.inputs["blind"] else ("agent",)
    plans = {name: plan(catalogue, acts, task=task, blind=name == "blind") for name in names}
    played = {name: Evaluation(it, seeds, report_rows(cell.directory, name)) for name, it in plans.items()}
    run(list(played.values()), workers=1)
    return {"latency_ms": played["agent"].latency_ms}


def command_of(cell: Cell) -> list[str]:
    """The words of the command, not filled in."""
    return [str(word) for word in cell.inputs["command"]]


def fill(word: str, values: dict[str, Any]) -> str:
    """The word with ``{name}`` replaced by its value; other braces stay, since commands take JSON too."""
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", str(value))
    return word
