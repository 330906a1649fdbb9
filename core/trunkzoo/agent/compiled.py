"""Compile an agent for acting."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from trunkzoo.agent.agent import Agent
from trunkzoo.system.compiling import compiled


def compile_acting(agent: Agent) -> Agent:
    """The same agent, with trunks and sampling under torch.compile, where a prediction spends its time.

    The first prediction of every batch size compiles, which takes up to minutes; actions then differ by rounding. For
    acting only: a state dict has other names behind it.

    Raises:
        UsageError: this machine has no C++ compiler.
    """
    agent.encoder.trunks = nn.ModuleList(compiled(trunk) for trunk in agent.encoder.trunks)
    head = cast(Any, agent.head)
    head.sample = compiled(head.sample)
    return agent
