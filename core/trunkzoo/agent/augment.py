"""Image crops and training augmentation, random per sample whatever its batch (see ``trunkzoo.nn.draws``)."""

from __future__ import annotations

import torch
from torch import Tensor

from trunkzoo.nn.draws import Draws


def cut(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut a window of ``size`` at ``(top, left)`` from every image; outside pixels repeat the edge.

    ``images`` (N, C, H, W), ``top`` and ``left`` (N,) int64 → (N, C, h, w) in channels_last memory.
    """
    rows = _span(top, size[0], images.shape[-2])  # (N, h)
    cols = _span(left, size[1], images.shape[-1])  # (N, w)
    pixels = images.permute(0, 2, 3, 1)  # (N, H, W, C)
    index = torch.arange(len(images), device=images.device)[:, None, None]
    return pixels[index, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2)


def _span(start: Tensor, length: int, limit: int) -> Tensor:
    return (start[:, None] + torch.arange(length, device=start.device)).clamp_(0, limit - 1)


def centre_crop(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The centre crop (N, C, h, w) of images (N, C, H, W)."""
    top, left = ((full - part) // 2 for full, part in zip(images.shape[-2:], size, strict=True))
    return images[..., top : top + size[0], left : left + size[1]]


def random_crop(images: Tensor, size: tuple[int, int], draws: Draws, frames: int) -> Tensor:
    """A random crop per sample, the same for its ``frames`` consecutive images (N = samples × frames)."""
    spread = [full - part + 1 for full, part in zip(images.shape[-2:], size, strict=True)]
    top, left = _offsets(draws, spread, frames, images.device)  # (N,) each
    return cut(images, top, left, size)


def random_shift(images: Tensor, pixels: int, draws: Draws, frames: int) -> Tensor:
    """Shift by up to ± ``pixels`` in both axes, one shift per sample; edges repeat (Yarats et al. 2021, DrQ)."""
    span = 2 * pixels + 1
    top, left = _offsets(draws, [span, span], frames, images.device)  # (N,) each, in 0 … 2·pixels
    return cut(images, top - pixels, left - pixels, (images.shape[-2], images.shape[-1]))


def _offsets(draws: Draws, spread: list[int], frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    unit = draws.uniform(2).to(device)  # (samples, 2)
    top, left = ((unit[:, axis] * count).long().repeat_interleave(frames) for axis, count in enumerate(spread))
    return top, left  # (N,) each; no tensor of the counts, whose copy to a GPU would make the host wait


def colour_jitter(images: Tensor, strength: float, draws: Draws, frames: int) -> Tensor:
    """Contrast × (1 ± strength) and brightness ± strength/2 per sample, on images in [0, 1]."""
    unit = draws.uniform(2).to(images.device).repeat_interleave(frames, dim=0) * 2 - 1  # (N, 2)
    contrast, brightness = (unit[:, i, None, None, None] for i in range(2))  # (N, 1, 1, 1) each, in (-1, 1)
    return ((images - 0.5) * (1 + strength * contrast) + 0.5 + strength / 2 * brightness).clamp(0, 1)
