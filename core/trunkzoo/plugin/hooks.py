"""The hooks of plugin API v1. A plugin implements any of them; each returns records, none may import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from trunkzoo.plugin.records import HeadSpec, PolicySpec, TaskSpec, TrunkSpec

API_VERSION = 1
GROUP_PREFIX = (
    "trunkzoo.v"  # of the entry-point group; the version follows: another one is recognised without an import
)

hookspec = pluggy.HookspecMarker("trunkzoo")
hookimpl = pluggy.HookimplMarker("trunkzoo")


@hookspec
def trunkzoo_trunks() -> Iterable[TrunkSpec[Any]]:  # type: ignore[empty-body]
    """Describe the vision trunks this plugin ships. Called once per process, when the catalogue is read."""


@hookspec
def trunkzoo_heads() -> Iterable[HeadSpec[Any]]:  # type: ignore[empty-body]
    """Describe the action heads this plugin ships. Called once per process, when the catalogue is read."""


@hookspec
def trunkzoo_tasks() -> Iterable[TaskSpec[Any]]:  # type: ignore[empty-body]
    """Describe the simulator tasks this plugin ships. Called once per process, when the catalogue is read."""


@hookspec
def trunkzoo_policies() -> Iterable[PolicySpec[Any]]:  # type: ignore[empty-body]
    """Describe the kinds of policies this plugin lets act. Called once per process, when the catalogue is read."""
