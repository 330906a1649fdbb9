"""Counter-based random numbers per sample, independent of the batch.

Every sample carries one 64-bit seed, and its draws are a hash of (seed, stream, position). So a sample gets the
same noise in any batch, on any rank and on any device: gradient accumulation equals the larger batch, two
processes equal one, and an episode's policy noise does not depend on who runs beside it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_GOLDEN = -0x61C8864680B583EB  # 2^64 / φ as a signed 64-bit integer: the increment of SplitMix64
_MIX_1 = -0x40A7B892E31B1A47  # 0xBF58476D1CE4E5B9
_MIX_2 = -0x6B2FB644ECCEEE15  # 0x94D049BB133111EB


def mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser (Steele et al. 2014) on int64 tensors, element-wise; wraps modulo 2^64."""
    z = (z ^ ((z >> 30) & 0x3FFFFFFFF)) * _MIX_1
    z = (z ^ ((z >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return z ^ ((z >> 31) & 0x1FFFFFFFF)


def _wrapped(n: int) -> int:
    """``n`` modulo 2^64, as int64 holds it: tensors wrap, constants that a compiler folds do not."""
    return (n + 2**63) % 2**64 - 2**63


def _multiples(n: int, device: torch.device) -> Tensor:
    """_GOLDEN × (1 … n) modulo 2^64. Written with ~i = −(i + 1): a compiler folds i × constant without the modulo."""
    return ~torch.arange(n, device=device) * -_GOLDEN


def sample_seeds(seed: int, *coordinates: int | Tensor) -> Tensor:
    """Hash ``seed`` and integer coordinates (broadcast tensors or numbers) to int64 sample seeds."""
    state = mix(torch.tensor(seed, dtype=torch.int64) + _GOLDEN)
    for coordinate in coordinates:
        state = mix((state ^ torch.as_tensor(coordinate, dtype=torch.int64)) + _GOLDEN)
    return state


class Draws:
    """A stream of draws for each of B samples; every call takes the next stream."""

    def __init__(self, seeds: Tensor) -> None:
        """``seeds``: int64 (B,); draws come out on its device."""
        if seeds.dtype != torch.int64 or seeds.dim() != 1:
            raise ValueError(f"seeds must be int64 of shape (B,), got {seeds.dtype} {tuple(seeds.shape)}")
        self._seeds = seeds
        self._streams = 0

    def __len__(self) -> int:
        return int(self._seeds.shape[0])

    def repeat(self, n: int) -> Draws:
        """``n`` independent copies of every sample, laid out as ``repeat_interleave`` does: (B·n,)."""
        return Draws(mix(self._seeds[:, None] + _multiples(n, self._seeds.device)).flatten())

    def uniform(self, *shape: int) -> Tensor:
        """Float32 (B, *shape), uniform on the open interval (0, 1)."""
        return self._unit(math.prod(shape)).reshape(-1, *shape).float().clamp_(1e-7, 1 - 1e-7)

    def normal(self, *shape: int) -> Tensor:
        """Float32 (B, *shape), standard normal (Box–Muller in float64)."""
        n = math.prod(shape)
        u, v = self._unit(n), self._unit(n)  # (B, n) each
        return (torch.sqrt(-2 * torch.log(u)) * torch.cos(2 * math.pi * v)).reshape(-1, *shape).float()

    def _unit(self, n: int) -> Tensor:
        self._streams += 1
        keys = mix(self._seeds + _wrapped(_GOLDEN * self._streams))  # (B,): one key per sample for this stream
        bits = (mix(keys[:, None] + _multiples(n, keys.device)) >> 11) & 0x1FFFFFFFFFFFFF  # 53 bits
        return (bits.double() + 0.5) * 2.0**-53  # in (0, 1)
