"""Checkpoints: safetensors with everything that rebuilds the agent in the header. No pickle is read or written.

The names below load on first use, so that reading a header never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trunkzoo.checkpoint.header import CheckpointHeader, read_header
    from trunkzoo.checkpoint.load import load_agent
    from trunkzoo.checkpoint.save import save_checkpoint, save_model

_EXPORTS = {
    "CheckpointHeader": "trunkzoo.checkpoint.header",
    "load_agent": "trunkzoo.checkpoint.load",
    "read_header": "trunkzoo.checkpoint.header",
    "save_checkpoint": "trunkzoo.checkpoint.save",
    "save_model": "trunkzoo.checkpoint.save",
}

__all__ = ["CheckpointHeader", "load_agent", "read_header", "save_checkpoint", "save_model"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'trunkzoo.checkpoint' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
