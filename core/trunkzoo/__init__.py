"""trunkzoo: a plugin slot for vision trunks under an unchanged robot policy.

Whatever the CLI does, a notebook can do with the names exported here. They load on first use, so that
``import trunkzoo`` stays free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trunkzoo.api import (
        RunConfig,
        assemble,
        create_trunk,
        evaluate,
        list_trunks,
        load_agent,
        load_recipe,
        open_zoo,
        train,
    )

    __version__: str

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
    if name == "__version__":
        from importlib.metadata import version  # asked for seldom, and slow to load

        return version("trunkzoo")
    if name not in __all__:
        raise AttributeError(f"module 'trunkzoo' has no attribute {name!r}; it exports {', '.join(__all__)}")
    from trunkzoo import api  # at the first use of a public name

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted(__all__)
