"""A policy's folder: a checkpoint of trunkzoo that ``zoo eval``, ``zoo inspect`` and ``load_agent`` read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lerobot_policy_trunkzoo.averaging import Averaged
from trunkzoo.checkpoint.layout import TRAINING_STATE
from trunkzoo.checkpoint.load import check_contract, load_weights
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.checkpoint.save import TrainingState, write_checkpoint
from trunkzoo.checkpoint.tensors import read_tensors
from trunkzoo.errors import CheckpointError
from trunkzoo.plain import parse_table

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent

_LIVE = "live/"


def save_policy(directory: Path, agent: Agent, average: Averaged, updates: int) -> None:
    """Write the acting weights, the live ones and the counters."""
    live = {_LIVE + name: tensor for name, tensor in average.live().items()}
    numbers = json.dumps({"updates": updates, "averaged": average.updates})
    state = TrainingState(live, {"format": "1", "lerobot": numbers})
    write_checkpoint(directory, agent, state, updates, average.acting())


def load_policy(file: Path, agent: Agent, average: Averaged) -> int:
    """Give ``agent`` the weights of a ``model.safetensors``, and the live ones where they lie beside it.

    Returns the number of optimiser steps behind them.

    Raises:
        CheckpointError: a file is damaged or of another agent.
        ContractError: the contract is another.
    """
    header, _ = read_verified(file)
    check_contract(header, agent.contract, "the recipe in config.json")
    load_weights(agent, read_tensors(file), str(file))
    beside = file.with_name(TRAINING_STATE)
    if not beside.is_file():  # the model alone, from the hub: it acts, and training starts from what acts
        average.restore({}, 0)
        return header.step
    return _continue(beside, agent, average)


def _continue(file: Path, agent: Agent, average: Averaged) -> int:
    from trunkzoo.checkpoint.header import read_safetensors_header
    from trunkzoo.checkpoint.manifest import verify

    header = read_safetensors_header(file)
    verify(file, header)
    try:
        numbers = parse_table(header.metadata["lerobot"])
        updates, averaged = int(numbers["updates"]), int(numbers["averaged"])
    except (KeyError, ValueError, TypeError):
        raise CheckpointError(
            f"{file} was not written by lerobot-train; only `zoo train --resume` continues it"
        ) from None
    live = {name.removeprefix(_LIVE): tensor for name, tensor in read_tensors(file).items()}
    parameters = dict(agent.named_parameters())
    wrong = [name for name, tensor in live.items() if name not in parameters or tensor.shape != parameters[name].shape]
    if wrong:
        raise CheckpointError(f"{file} belongs to another agent: '{wrong[0]}' has no place in this one")
    average.restore(live, averaged)
    return updates
