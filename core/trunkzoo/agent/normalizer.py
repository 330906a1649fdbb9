"""Affine normalisers whose statistics live in the checkpoint with the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trunkzoo.errors import DataError
from trunkzoo.registry.recipe import NormKind

_SOURCES: dict[NormKind, tuple[str, str]] = {
    "min_max": ("min", "max"),
    "quantile": ("q01", "q99"),
    "mean_std": ("mean", "std"),
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
        low, high = (self._read(stats, name) for name in _SOURCES[self.kind])
        offset, scale = (low, high) if self.kind == "mean_std" else ((high + low) / 2, (high - low) / 2)
        moves = scale.abs() > _CONSTANT
        self.offset.copy_(offset)
        self.scale.copy_(torch.where(moves, scale, torch.ones_like(scale)))
        self.fitted.fill_(1)
        self._ready = True

    def _read(self, stats: Mapping[str, Mapping[str, Sequence[float]]], name: str) -> Tensor:
        values = stats.get(self.key, {}).get(name)
        if values is None:
            raise DataError(f"statistics of '{self.key}' lack '{name}', which {self.kind} normalisation needs")
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
        return y.clamp(-1, 1) if self.kind == "min_max" else y

    def _require_fit(self) -> None:
        if not self._ready:  # one device read, then never again
            self._ready = bool(self.fitted.item())
        if not self._ready:
            raise DataError(f"no statistics for '{self.key}': this agent was built but never trained; run `zoo train`")
