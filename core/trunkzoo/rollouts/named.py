"""What people name to let it act: a run, checkpoint or export; ``noop``, ``random``, ``expert``; or ``NAME:ARGUMENT`` of a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Configured, Found, Part
from trunkzoo.catalogue.policies import PolicyRecord
from trunkzoo.errors import UsageError, did_you_mean
from trunkzoo.hub.names import is_hub_name
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.records import PolicySpec, lacks_argument
from trunkzoo.registry.assignments import overlay
from trunkzoo.rollouts.references import REFERENCES, own_plugin

AGENT, BLIND = "agent", "blind"
"""The agent of a checkpoint or an export; and whatever acts, on blanked images."""
AGENTS = (AGENT, BLIND)


def named_policy(catalogue: Catalogue, text: str, settings: Mapping[str, Any] | None = None) -> Part:
    """The policy that ``NAME`` or ``NAME:ARGUMENT`` names, with ``settings`` (dotted keys) over its record's defaults.

    Raises:
        UsageError: there is no such policy, or it takes no argument.
    """
    name, colon, argument = text.partition(":")
    found = _find(catalogue, name)
    if colon and not found.spec.argument:
        raise UsageError(f"policy '{name}' takes nothing behind a colon, got '{argument}'; write {name}")
    values = overlay(found.spec.defaults, settings or {})
    return Part(name=found.id, config=values | ({found.spec.argument: argument} if argument else {}))


def configure_policy(catalogue: Catalogue, part: Part) -> PolicyRecord:
    """The record that a part names, with its settings.

    Raises:
        UsageError: there is no such policy, or it lacks its argument.
        ConfigError: a setting breaks the record's schema.
    """
    found = _find(catalogue, part.name)
    values, name = {**found.spec.defaults, **part.config}, found.spec.name
    config = parse(found.spec.config, values, "policy")
    if lacks_argument(found.spec, config):
        raise UsageError(f"policy '{name}' needs its {found.spec.argument}; write {name}:{found.spec.argument.upper()}")
    return Configured("policy", found.id, found.spec, found.plugin, config)


@dataclass(frozen=True)
class Contender:
    """What was named, as :func:`trunkzoo.rollouts.plan.plan` takes it."""

    policy: str | Part
    checkpoint: Path | None


def contender(catalogue: Catalogue, text: str, settings: Mapping[str, Any] | None = None) -> Contender:
    """The agent of a run, checkpoint or export, or the policy that ``text`` names; a file that is there is a file.

    Raises:
        UsageError: it is neither, or there are settings for an agent, which has its own.
    """
    if Path(text).exists() or is_hub_name(text) or not _is_named(catalogue, text):
        if settings:
            raise UsageError(
                f"{text} is an agent, whose settings its training fixed; policies have their own", ["settings"]
            )
        return Contender(AGENT, Path(text))
    return Contender(named_policy(catalogue, text, settings), None)


def _is_named(catalogue: Catalogue, text: str) -> bool:
    """Whether a policy is meant rather than a path: its name is known, or what stands before a colon is no folder."""
    name, colon, _ = text.partition(":")
    try:
        _find(catalogue, name)
    except UsageError:
        return bool(colon) and "/" not in name
    return True


def _find(catalogue: Catalogue, name: str) -> Found[PolicySpec[Any]]:
    if name in REFERENCES:
        return Found("policy", name, REFERENCES[name], own_plugin())
    try:
        return catalogue.policy(name)
    except UsageError as error:
        hint = did_you_mean(name, [*REFERENCES, AGENT, BLIND])
        raise type(error)(f"{error}.{hint}" if hint and "Did you mean" not in str(error) else str(error)) from None
