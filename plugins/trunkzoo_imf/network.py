"""The transformer under every head: tokens of time, condition and actions, joined by attention over depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trunkzoo.nn.mixing import parse_mixing
from trunkzoo.nn.norms import RMSNorm
from trunkzoo.nn.stack import DepthMix
from trunkzoo.plugin import Contract
from trunkzoo_imf.config import NetworkConfig
from trunkzoo_imf.derivative import Linear, has_tangent
from trunkzoo_imf.layers import Attention, SwiGLU, TimeTokens


class ChunkTransformer(nn.Module):
    """A noisy chunk z (B, H, A), times r ≤ t (B,), a condition (B, O, C) → ``outputs`` tensors (B, H, A).

    One sequence [time tokens, condition tokens, action tokens] with full self-attention; every residual connection is
    an Attention Residual (arXiv 2603.15031), by the operation that the vision trunks use. Outputs start at zero.

    The way of the noise into the network starts at zero too. With torch's default it enters six times as large as the
    positions that tell one action token from another, and the sublayers need hundreds of steps to outgrow it.
    """

    def __init__(self, config: NetworkConfig, contract: Contract, outputs: int = 1) -> None:
        super().__init__()
        width, chunk = config.width, contract.pred_horizon
        self.time = TimeTokens(config.time_tokens, width)
        self.cond_in = Linear(contract.cond_dim, width)
        self.action_in = Linear(contract.action_dim, width)
        nn.init.zeros_(self.action_in.weight)
        self.cond_position = nn.Parameter(torch.randn(contract.obs_horizon, width) * width**-0.5)
        self.action_position = nn.Parameter(torch.randn(chunk, width) * width**-0.5)
        tokens = config.time_tokens + contract.obs_horizon + chunk
        self.sublayers = nn.ModuleList()
        for _ in range(config.blocks):
            self.sublayers += [Attention(width, config.heads, tokens), SwiGLU(width, config.mlp_ratio)]
        self.mix = DepthMix(width, len(self.sublayers), parse_mixing(config.mixing))
        self.norm = RMSNorm(width)
        self.outputs = nn.ModuleList(_zero(Linear(width, contract.action_dim)) for _ in range(outputs))

    def forward(self, z: Tensor, r: Tensor, t: Tensor, cond: Tensor) -> tuple[Tensor, ...]:
        self.mix.fused = not has_tangent(z)  # the closed-form backward has no forward-mode derivative
        actions = self.action_in(z) + self.action_position  # (B, H, D)
        sources = self.mix.start(
            torch.cat([self.time(r, t), self.cond_in(cond.to(z.dtype)) + self.cond_position, actions], dim=1)
        )
        for sublayer in self.sublayers:
            sources.append(sublayer(self.mix(sources)))
        features = self.norm(self.mix(sources)[:, -z.shape[1] :])  # the action tokens: (B, H, D)
        return tuple(output(features) for output in self.outputs)


def _zero(linear: Linear) -> Linear:
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
