"""The public Python API: what the CLI does, in a notebook. ``trunkzoo`` itself exports these names."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from trunkzoo.registry import load_registry
from trunkzoo.registry.recipe import Part, Recipe
from trunkzoo.registry.zoo import load_catalogue

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent
    from trunkzoo.plugin.protocols import VisionTrunk


def list_trunks(pattern: str = "*") -> list[str]:
    """Full names ``plugin/trunk`` of the installed trunks that match a shell pattern."""
    return [name for name in load_catalogue().trunks if fnmatchcase(name, pattern)]


def create_trunk(name: str, **config: Any) -> VisionTrunk:
    """Build one trunk with its plugin's defaults and these settings over them.

    >>> trunk = create_trunk("resnet-18", norm="group")  # a torch.nn.Module
    """
    from trunkzoo.agent.assemble import build_trunk

    return build_trunk(Part(name=name, config=config), load_catalogue())


def load_recipe(name: str, overrides: Mapping[str, Any] | None = None, trunk: str | None = None) -> Recipe:
    """A recipe of registry.toml with ``{"train.steps": 100, …}`` over it, and another trunk if one is named."""
    return load_registry().recipe(name, overrides or {}, trunk, load_catalogue())


def assemble(recipe: Recipe | str, seed: int = 0) -> Agent:
    """Build the agent of a recipe or of a recipe's name; the same seed gives the same weights."""
    from trunkzoo.agent.assemble import assemble as build

    return build(load_recipe(recipe) if isinstance(recipe, str) else recipe, load_catalogue(), seed)
