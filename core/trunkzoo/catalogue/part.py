"""A part: the name of a plugin's record and the settings it is built with. A recipe has three of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.records import HeadSpec, PolicySpec, TaskSpec, TrunkSpec

SpecT = TypeVar("SpecT", TrunkSpec[Any], HeadSpec[Any], TaskSpec[Any], PolicySpec[Any])
RecordKind = Literal["trunk", "head", "task", "policy"]
RECIPE_KINDS: tuple[RecordKind, ...] = ("trunk", "head", "task")
"""The parts of a recipe."""
KINDS: tuple[RecordKind, ...] = (*RECIPE_KINDS, "policy")


class Part(Config):
    """A plugin's record by name, with the configuration that goes to its ``build``."""

    name: str = Field(description="plugin/name, or the short name while it is unique")
    config: dict[str, Any] = Field(default_factory=dict, description="validated by the record's own schema")


@dataclass(frozen=True)
class Found(Generic[SpecT]):
    """A record with its full name ``plugin/name`` and the plugin that ships it."""

    kind: RecordKind
    id: str
    spec: SpecT
    plugin: PluginRow


@dataclass(frozen=True)
class Configured(Found[SpecT]):
    """A record with validated settings: all that building it needs."""

    config: Config

    @property
    def title(self) -> str:
        """How messages call it: ``trunk 'resnet/resnet-18'``."""
        return f"{self.kind} '{self.id}'"

    def as_part(self) -> Part:
        """The part by its full name, every default written out."""
        with plugin_code(f"the settings of {self.title} as JSON"):
            return Part(name=self.id, config=self.config.model_dump(mode="json"))
