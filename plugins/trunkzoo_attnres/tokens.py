"""Token sublayers: every cell of a map (N, C, H, W) is a token.

Memory is channels_last, so that (N, H, W, C) is a view. Linear layers are 1×1 convolutions: the same product, and
twice as fast on CPUs. Norms are group norms over the map, as in the convolutional sublayers: a layer norm per token
gives an empty cell the strength of an object, and learns to tell shapes apart far more slowly (README).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo_attnres.convolution import group_norm


def linear(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> nn.Conv2d:
    """A linear layer on every token, or a convolution per channel; unit gain at the start, no bias."""
    module = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="linear")
    return module


class AttentionSublayer(nn.Module):
    """Multi-head self-attention plus a depthwise 3×3 convolution, the local bias that also crosses windows."""

    def __init__(self, channels: int, heads: int, window: int | None) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = group_norm(channels)
        self.qkv = linear(channels, 3 * channels)
        self.local = linear(channels, channels, kernel=3, groups=channels)
        self.project = linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        attended = window_attention(self.qkv(x).permute(0, 2, 3, 1), self.heads, self.window)  # (N, H, W, C)
        return self.project(attended.permute(0, 3, 1, 2) + self.local(x))  # type: ignore[no-any-return]


def mlp_sublayer(channels: int, ratio: float) -> nn.Sequential:
    """norm, expand, silu, contract, on every token."""
    hidden = round(channels * ratio)
    return nn.Sequential(group_norm(channels), linear(channels, hidden), nn.SiLU(), linear(hidden, channels))


def window_attention(qkv: Tensor, heads: int, window: int | None) -> Tensor:
    """Scaled dot-product attention inside equal windows of at most ``window`` cells a side (None: the whole map).

    ``qkv`` (N, H, W, 3C) holds queries, keys and values side by side, ``heads`` divides C: → (N, H, W, C). The map is
    cut into the fewest windows of equal side that ``window`` allows.
    """
    n, h, w, c = qkv.shape
    rows, cols = sides(h, window), sides(w, window)
    (nh, sh), (nw, sw) = rows, cols
    d = c // (3 * heads)  # spelled out in every shape, because -1 is ambiguous in an empty batch
    pad = (0, 0, 0, nw * sw - w, 0, nh * sh - h)
    padded = F.pad(qkv, pad) if any(pad) else qkv
    split = padded.reshape(n, nh, sh, nw, sw, 3, heads, d).permute(5, 0, 1, 3, 6, 2, 4, 7)
    q, k, v = split.reshape(3, n * nh * nw, heads, sh * sw, d)  # (windows, heads, cells, d) each
    mask = real_cells(h, w, rows, cols, qkv.device).repeat(n, 1)[:, None, None] if any(pad) else None
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (windows, heads, cells, d)
    y = y.reshape(n, nh, nw, heads, sh, sw, d).permute(0, 1, 4, 2, 5, 3, 6)
    return y.reshape(n, nh * sh, nw * sw, c // 3)[:, :h, :w]


def sides(side: int, window: int | None) -> tuple[int, int]:
    """How many windows cover a side, and how long each is: the fewest of equal length; at most a partial pad."""
    count = 1 if window is None else -(-side // window)
    return count, -(-side // count)


def real_cells(h: int, w: int, rows: tuple[int, int], cols: tuple[int, int], device: torch.device) -> Tensor:
    """Bool (windows, cells): False where a window hangs over the edge of the map."""
    (nh, sh), (nw, sw) = rows, cols
    row = (torch.arange(nh * sh, device=device) < h).reshape(nh, 1, sh, 1)
    col = (torch.arange(nw * sw, device=device) < w).reshape(1, nw, 1, sw)
    return (row & col).reshape(nh * nw, sh * sw)  # (nh, nw, sh, sw) → (windows, cells)


def position_code(x: Tensor) -> Tensor:
    """Sines and cosines of row and column (C/4 frequencies each, wavelengths 2π to 200π cells) for x (N, C, h, w): (C, h, w)."""
    _, channels, h, w = x.shape
    rates = 100.0 ** -torch.linspace(0, 1, channels // 4, device=x.device)
    row = torch.arange(h, device=x.device)[:, None] * rates  # (h, C/4)
    col = torch.arange(w, device=x.device)[:, None] * rates  # (w, C/4)
    rows = torch.cat([row.sin(), row.cos()], -1)[:, None].expand(-1, w, -1)
    cols = torch.cat([col.sin(), col.cos()], -1)[None].expand(h, -1, -1)
    return torch.cat([rows, cols], -1).permute(2, 0, 1).to(x.dtype)  # (h, w, C) → (C, h, w)
