"""trunkzoo: a plugin slot for vision trunks under an unchanged robot policy.

Whatever the CLI does, a notebook can do with the names exported here. They load on first use, so that
``import trunkzoo`` stays free of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trunkzoo.api import assemble, create_trunk, evaluate, list_trunks, load_agent, load_recipe, train
    from trunkzoo.registry.zoo import open_zoo
    from trunkzoo.training import RunConfig

__version__ = "0.1.0"

_EXPORTS = {
    "RunConfig": "trunkzoo.training",
    "assemble": "trunkzoo.api",
    "create_trunk": "trunkzoo.api",
    "evaluate": "trunkzoo.api",
    "list_trunks": "trunkzoo.api",
    "load_agent": "trunkzoo.api",
    "load_recipe": "trunkzoo.api",
    "open_zoo": "trunkzoo.registry.zoo",
    "train": "trunkzoo.api",
}

__all__ = [
    "RunConfig",
    "__version__",
    "assemble",
    "create_trunk",
    "evaluate",
    "list_trunks",
    "load_agent",
    "load_recipe",
    "open_zoo",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'trunkzoo' has no attribute {name!r}; it exports {', '.join(__all__)}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
