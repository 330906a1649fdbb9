"""trunkzoo: a plugin slot for vision trunks under an unchanged robot policy.

Whatever the CLI does, a notebook can do with the names exported here. They load on first use, so that
``import trunkzoo`` stays free of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trunkzoo.api import assemble, create_trunk, list_trunks, load_recipe
    from trunkzoo.checkpoint import load_agent
    from trunkzoo.rollouts import evaluate
    from trunkzoo.training import RunConfig
    from trunkzoo.training.loop import train

__version__ = "0.1.0"

_EXPORTS = {
    "RunConfig": "trunkzoo.training",
    "assemble": "trunkzoo.api",
    "create_trunk": "trunkzoo.api",
    "evaluate": "trunkzoo.rollouts",
    "list_trunks": "trunkzoo.api",
    "load_agent": "trunkzoo.checkpoint",
    "load_recipe": "trunkzoo.api",
    "train": "trunkzoo.training.loop",
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
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'trunkzoo' has no attribute {name!r}; it exports {', '.join(__all__)}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
