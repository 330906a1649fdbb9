"""The `mixing` setting of trunks and heads: how each sublayer combines the outputs before it. No torch here."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator

MixingKind = Literal["full", "block", "uniform", "static", "residual"]
_BLOCK = re.compile(r"block\(([1-9][0-9]*)\)")


class Mixing(NamedTuple):
    """A parsed setting; ``blocks`` is N of ``block(N)`` and 0 otherwise."""

    kind: MixingKind
    blocks: int = 0

    def group_size(self, depth: int) -> int:
        """Sublayer outputs that are summed into one source, in a stack of ``depth`` sublayers."""
        return -(-depth // self.blocks) if self.kind == "block" else 1

    @property
    def learned(self) -> bool:
        """Whether the reads own parameters."""
        return self.kind in ("full", "block", "static")


_PLAIN = (Mixing("full"), Mixing("uniform"), Mixing("static"), Mixing("residual"))


def parse_mixing(text: str) -> Mixing:
    """Parse ``full | block(N) | uniform | static | residual``.

    Raises:
        ValueError: any other text.
    """
    for mixing in _PLAIN:
        if text == mixing.kind:
            return mixing
    if match := _BLOCK.fullmatch(text):
        return Mixing("block", int(match[1]))
    raise ValueError(f"mixing {text!r} is not one of full, block(N) with N ≥ 1, uniform, static, residual")


def _checked(text: str) -> str:
    parse_mixing(text)
    return text


MixingName = Annotated[str, AfterValidator(_checked)]
"""A configuration field that holds a valid mixing text."""
