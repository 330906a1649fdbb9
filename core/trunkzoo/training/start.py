"""The weights that a training starts from: another agent's, known by the hash of their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trunkzoo.agent.agent import Agent
from trunkzoo.checkpoint.header import read_header
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.transfer import transfer
from trunkzoo.errors import CheckpointError, ConfigError
from trunkzoo.export.record import sha256_of
from trunkzoo.plugin.config import parse
from trunkzoo.training.config import RunConfig, StartConfig
from trunkzoo.training.directory import RUN, is_begun, read_run


def start_facts(run: RunConfig) -> dict[str, Any] | None:
    """For ``run.json``: which weights a run starts, or when it is resumed has started, from; None for fresh ones.

    Raises:
        UsageError, CheckpointError: there is no such checkpoint, or it is damaged.
    """
    if run.resume:
        return read_run(run.output).get("start") if is_begun(run.output) else None
    if run.start is None:
        return None
    file = model_file(run.start.path).absolute()
    header = read_header(file)
    return {
        "path": str(file),
        "sha256": sha256_of(file),
        "recipe": str(header.recipe["name"]),
        "step": header.step,
        "parts": list(run.start.parts),
    }


def begin_from(agent: Agent, facts: dict[str, Any], run: Path) -> list[str]:
    """Give a fresh agent the weights that ``facts`` name; a line for each part says what was taken.

    Raises:
        CheckpointError: the file is absent or another one by now, or what is wanted of it does not fit.
    """
    file = Path(str(facts["path"]))
    try:
        start = parse(StartConfig, {"path": file, "parts": facts["parts"]}, "start")
    except (ConfigError, KeyError) as error:
        raise CheckpointError(f"{run / RUN} is damaged: {error}; start a new run") from None
    if not file.is_file() or sha256_of(file) != facts["sha256"]:
        raise CheckpointError(
            f"{run} starts from {file}, which is absent, or another file than when it began; put it back, or start anew"
        )
    title = f"starts from {facts['recipe']}, step {facts['step']:,} ({file})"
    return [title, *(f"  {line}" for line in transfer(agent, file, start.parts))]
