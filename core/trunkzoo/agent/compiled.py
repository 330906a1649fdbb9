"""Compile an agent for acting."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from trunkzoo.agent.agent import Agent


def compile_acting(agent: Agent) -> Agent:
    """The same agent, with trunks and sampling under torch.compile, where a prediction spends its time.

    The first prediction of every batch size compiles, which takes up to minutes; actions then differ by rounding. For
    acting only: a state dict has other names behind it.
    """
    agent.encoder.trunks = nn.ModuleList(cast(nn.Module, torch.compile(trunk)) for trunk in agent.encoder.trunks)
    head = cast(Any, agent.head)
    head.sample = torch.compile(head.sample)
    return agent
