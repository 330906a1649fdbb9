"""Training of an agent on demonstrations: a function of its settings, continued bit-equal after any kill.

The names below load on first use: recipes read ``trunkzoo.registry.train_config``, and reading a recipe imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trunkzoo.training.loop import train
    from trunkzoo.training.run import RunConfig, TrainResult

_EXPORTS = {
    "RunConfig": "trunkzoo.training.run",
    "TrainResult": "trunkzoo.training.run",
    "train": "trunkzoo.training.loop",
}

__all__ = ["RunConfig", "TrainResult", "train"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'trunkzoo.training' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
