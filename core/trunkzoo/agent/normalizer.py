"""Affine normalisers whose statistics live in the checkpoint with the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trunkzoo.errors import DataError
from trunkzoo.registry.recipe import NormKind


class _Rule(NamedTuple):
    """What a kind makes of two statistics of the data."""

    statistics: tuple[str, str]
    range: bool
    """They are a range, which maps to [-1, 1]; otherwise a centre and a unit."""
    clips: bool
    """All data lie in that range, so what a head samples outside of it is clipped."""


_RULES: dict[NormKind, _Rule] = {
    "min_max": _Rule(("min", "max"), range=True, clips=True),
    "quantile": _Rule(("q01", "q99"), range=True, clips=False),
    "mean_std": _Rule(("mean", "std"), range=False, clips=False),
}
_CONSTANT = 1e-6  # a dimension that moves less than this is constant: it maps to 0 and back to its value


class Normalizer(nn.Module):
    """``y = (x − offset) / scale`` per dimension; min–max and quantile map their range to [-1, 1]."""

    offset: Tensor
    scale: Tensor
    fitted: Tensor

    def __init__(self, kind: NormKind, dim: int, key: str) -> None:
        super().__init__()
        self.kind, self.key = kind, key
        self.register_buffer("offset", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.uint8))
        self._ready = False

    def fit(self, stats: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
        """Take the statistics of this normaliser's key.

        Raises:
            DataError: the key or its numbers are missing, of another width, or not finite.
        """
        first, second = (self._read(stats, name) for name in _RULES[self.kind].statistics)
        offset, scale = ((first + second) / 2, (second - first) / 2) if _RULES[self.kind].range else (first, second)
        moves = scale.abs() > _CONSTANT
        self.offset.copy_(offset)
        self.scale.copy_(torch.where(moves, scale, torch.ones_like(scale)))
        self.fitted.fill_(1)
        self._ready = True

    def _read(self, stats: Mapping[str, Mapping[str, Sequence[float]]], name: str) -> Tensor:
        values = stats.get(self.key, {}).get(name)
        if values is None:
            raise DataError(
                f"statistics of '{self.key}' lack '{name}', which {self.kind} normalisation needs; "
                f"record or convert the data again"
            )
        tensor = torch.as_tensor(values, dtype=torch.float64).flatten()
        if tensor.numel() != self.offset.numel():
            raise DataError(f"statistics of '{self.key}' have width {tensor.numel()}, not {self.offset.numel()}")
        if not bool(torch.isfinite(tensor).all()):
            raise DataError(f"statistics '{name}' of '{self.key}' are not finite; run `zoo data check` on the data")
        return tensor

    def normalize(self, x: Tensor) -> Tensor:
        """Raw units (…, dim) to network units."""
        self._require_fit()
        return (x - self.offset) / self.scale

    def denormalize(self, y: Tensor) -> Tensor:
        """Network units (…, dim) to raw units."""
        self._require_fit()
        return y * self.scale + self.offset

    def clip(self, y: Tensor) -> Tensor:
        """Network units (…, dim) within the data's own range, where [-1, 1] is that: samples of a head may leave it.

        Chi et al. 2023 clip samples the same way. Quantiles and deviations leave some of the data outside.
        """
        return y.clamp(-1, 1) if _RULES[self.kind].clips else y

    def _require_fit(self) -> None:
        if torch.compiler.is_compiling():  # a read would cut the graph in two, and compile all again at the second step
            return
        if not self._ready:  # one device read, then never again
            self._ready = bool(self.fitted.item())
        if not self._ready:
            raise DataError(f"no statistics for '{self.key}': this agent was built but never trained; run `zoo train`")
