"""The records of the policies that need no plugin: the floors no-op and random, and the expert as ceiling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.protocols import Policy
from trunkzoo.plugin.records import PolicyProvenance, PolicySpec, RolloutContext


def _noop(config: Config, context: RolloutContext) -> Policy:
    from trunkzoo.rollouts.scripted import NoopPolicy

    return NoopPolicy()


def _random(config: Config, context: RolloutContext) -> Policy:
    from trunkzoo.rollouts.scripted import RandomPolicy

    return RandomPolicy(context.noise_seed)


def _expert(config: Config, context: RolloutContext) -> Policy:
    from trunkzoo.rollouts.scripted import ExpertPolicy

    return ExpertPolicy()


_SAID = (
    ("noop", "floor: the action that keeps the robot still", _noop),
    ("random", "floor: uniform actions around the resting one, 10 % of the range either way", _random),
    ("expert", "ceiling: the task's scripted demonstrator", _expert),
)


def _spec(name: str, summary: str, build: Callable[[Config, RolloutContext], Policy]) -> PolicySpec[Config]:
    provenance = PolicyProvenance(name=name)
    return PolicySpec(name=name, summary=summary, config=Config, build=build, provenance=lambda _: provenance)


REFERENCES: Mapping[str, PolicySpec[Any]] = {said[0]: _spec(*said) for said in _SAID}
"""By their names, which no plugin can take, since its records have a slash: trunkzoo has them whatever is installed."""


def own_plugin() -> PluginRow:
    """Where the references come from: trunkzoo itself."""
    version = metadata.version("trunkzoo")
    return PluginRow(name="trunkzoo", distribution="trunkzoo", version=version, api="1", target=__name__, status="ok")
