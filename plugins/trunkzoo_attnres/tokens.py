"""Token sublayers: attention in windows or over the whole map, and MLP; maps (N, C, H, W) in channels_last memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AttentionSublayer(nn.Module):
    """Multi-head self-attention plus a depthwise 3×3 convolution of the values, the local bias that crosses windows."""

    def __init__(self, channels: int, heads: int, window: int | None) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.local = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.project = nn.Linear(channels, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x.permute(0, 2, 3, 1)))  # (N, H, W, 3C)
        values = qkv.chunk(3, -1)[2].permute(0, 3, 1, 2)
        local = self.local(values).permute(0, 2, 3, 1)
        mixed = self.project(window_attention(qkv, self.heads, self.window) + local)
        return mixed.permute(0, 3, 1, 2)  # type: ignore[no-any-return]  # modules return Any


class MLPSublayer(nn.Module):
    """norm, Linear, GELU, Linear on every token."""

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        hidden = round(channels * ratio)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, hidden, bias=False)
        self.contract = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.expand(self.norm(x.permute(0, 2, 3, 1))))
        return self.contract(hidden).permute(0, 3, 1, 2)  # type: ignore[no-any-return]  # modules return Any


def window_attention(qkv: Tensor, heads: int, window: int | None) -> Tensor:
    """Scaled dot-product attention inside equal windows of at most ``window`` cells a side (None: the whole map).

    Args:
        qkv: (N, H, W, 3C), queries, keys and values side by side.
        heads: number of heads; divides C.
        window: longest side of a window; the map is cut into the fewest windows of equal side that allow it.

    Returns:
        (N, H, W, C)
    """
    n, h, w, c = qkv.shape
    rows, cols = sides(h, window), sides(w, window)
    (nh, sh), (nw, sw) = rows, cols
    pad = (0, 0, 0, nw * sw - w, 0, nh * sh - h)
    padded = F.pad(qkv, pad) if any(pad) else qkv
    split = padded.reshape(n, nh, sh, nw, sw, 3, heads, c // (3 * heads)).permute(5, 0, 1, 3, 6, 2, 4, 7)
    q, k, v = split.reshape(3, n * nh * nw, heads, sh * sw, -1)
    mask = real_cells(h, w, rows, cols, qkv.device).repeat(n, 1)[:, None, None] if any(pad) else None
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    y = y.reshape(n, nh, nw, heads, sh, sw, -1).permute(0, 1, 4, 2, 5, 3, 6)
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
    return (row & col).reshape(nh * nw, sh * sw)


def position_code(x: Tensor) -> Tensor:
    """Sines and cosines of row and column (C/4 frequencies each, wavelengths 2π to 200π cells) for x (N, C, h, w): (C, h, w)."""
    _, channels, h, w = x.shape
    rates = 100.0 ** -torch.linspace(0, 1, channels // 4, device=x.device)
    row = torch.arange(h, device=x.device)[:, None] * rates  # (h, C/4)
    col = torch.arange(w, device=x.device)[:, None] * rates  # (w, C/4)
    rows = torch.cat([row.sin(), row.cos()], -1)[:, None].expand(-1, w, -1)
    cols = torch.cat([col.sin(), col.cos()], -1)[None].expand(h, -1, -1)
    return torch.cat([rows, cols], -1).permute(2, 0, 1).to(x.dtype)
