"""A drifting model (Deng et al., arXiv 2602.04770) as a policy (Drift-Based Policy, arXiv 2604.03540): one evaluation.

No times, no derivative: training moves what the network samples along a field that pulls samples to demonstrated chunks
and pushes them off one another, and that vanishes where both distributions agree.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trunkzoo.plugin import Contract, Draws
from trunkzoo_imf.config import DriftConfig
from trunkzoo_imf.network import ChunkTransformer
from trunkzoo_imf.objective import mean_square, per_chunk, prepare, squared_error

_SELF = 100.0  # added to a sample's normalised distance from itself: it does not push itself
_LEAST = 1e-6  # affinities keep this much, so that a sample far from everything is still pulled


class DriftHead(nn.Module):
    """Regress samples x = f(e, cond) on sg(x + drift): the demonstrated chunk attracts, samples repel one another."""

    def __init__(self, config: DriftConfig, contract: Contract) -> None:
        super().__init__()
        self.config = config
        self.network = ChunkTransformer(config, contract)

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        c, n = self.config, self.config.draws_per_sample
        samples = prepare(cond, actions, valid, draws, copies=n, cond_dropout=c.cond_dropout)
        x = self.sample(samples.cond, samples.draw_noise()) * samples.valid[..., None]
        groups, wanted = (chunks.flatten(1).reshape(len(cond), n, -1) for chunks in (x, samples.actions))
        move, scale = chunk_drift(groups.detach(), wanted[:, :1], c.temperatures, c.normalised)
        error = (groups - (groups.detach() + move)) / scale
        return {
            "loss": error.square().mean(),
            "mse_x": mean_square(squared_error(x, samples.actions, samples.valid), samples.valid, actions.shape[-1]),
            "spread": groups.detach().std(1).mean(),
        }

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        r = noise.new_zeros(noise.shape[:1])
        chunk: Tensor = self.network(noise, r, torch.ones_like(r), cond)[0]
        return chunk.to(noise.dtype)


@torch.no_grad()
def chunk_drift(
    x: Tensor, wanted: Tensor, temperatures: tuple[float, ...], normalised: bool = False
) -> tuple[Tensor, Tensor]:
    """How far each sample x (B, G, D) of an observation is to move, and the scale (B, 1, 1) that it is measured in.

    The papers divide distances by their mean, and each temperature's field by its root mean square, over the whole
    batch. ``normalised`` does so over the samples and ``wanted`` chunks (B, P, D) of one observation, since a sample's
    loss must not depend on its batch; but then a chunk far from all samples pulls as hard as a near one. By default
    actions are their own unit, as they come in [-1, 1] anyway.
    """
    root = x.shape[-1] ** 0.5
    scale = x.new_ones(len(x), 1, 1)
    if normalised:
        scale = per_chunk(torch.cdist(x, torch.cat([x, wanted], 1)).mean((1, 2)).clamp_min(1e-3)) / root
    itself = _SELF * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    total = torch.zeros_like(x)
    for temperature in temperatures:
        field = drift(x, wanted, x, temperature * root * scale[:, 0, 0], itself)
        total += field / field.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-12) if normalised else field
    return total * scale if normalised else total, scale


def drift(
    x: Tensor, attracting: Tensor, repelling: Tensor, temperature: Tensor, itself: Tensor | None = None
) -> Tensor:
    """The drifting field at x (B, N, D): Σ w⁺w⁻ (y⁺ − y⁻) over all pairs (arXiv 2602.04770, eq. 11 and algorithm 2).

    Exchange ``attracting`` (B, P, D) and ``repelling`` (B, M, D) and it changes its sign, so where they are one
    distribution it is zero.

    Args:
        x: where.
        attracting: y⁺, the data.
        repelling: y⁻, what the model samples.
        temperature: τ of the kernel exp(−‖x − y‖ / τ), (B,).
        itself: added to the normalised distances of ``x`` from ``repelling`` (N, M): masks a sample from itself.
    """
    logits = -torch.cdist(x, torch.cat([repelling, attracting], 1)) / per_chunk(temperature)
    if itself is not None:
        logits[:, :, : repelling.shape[1]] -= itself
    both = (logits.softmax(-1) * logits.softmax(-2)).clamp_min(_LEAST).sqrt()  # over y, and over the samples
    minus, plus = both.tensor_split([repelling.shape[1]], -1)
    pull = minus.sum(-1, keepdim=True) * (plus @ attracting)
    return pull - plus.sum(-1, keepdim=True) * (minus @ repelling)
