"""registry.toml, ours with the user's over it: recipes, suites, facts about trunks and rules about names."""

from trunkzoo.registry.assignments import parse_assignments
from trunkzoo.registry.registry import Registry, RegistrySection, load_registry, packaged_registry
from trunkzoo.registry.zoo import Zoo, open_zoo

__all__ = ["Registry", "RegistrySection", "Zoo", "load_registry", "open_zoo", "packaged_registry", "parse_assignments"]
