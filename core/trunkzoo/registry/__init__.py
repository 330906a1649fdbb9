"""registry.toml, ours with the user's over it: recipes, suites, facts about trunks and rules about names."""

from trunkzoo.registry.assignments import parse_assignments
from trunkzoo.registry.registry import Registry, Section, load_registry, load_usable_registry, packaged_registry
from trunkzoo.registry.zoo import load_catalogue

__all__ = [
    "Registry",
    "Section",
    "load_catalogue",
    "load_registry",
    "load_usable_registry",
    "packaged_registry",
    "parse_assignments",
]
