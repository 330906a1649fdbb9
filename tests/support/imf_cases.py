"""A small iMF head with random weights, and a batch for it; float64."""

import torch
from torch import Tensor, nn

from trunkzoo.plugin import Contract, Draws
from trunkzoo_imf.config import IMFConfig
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.objective import Samples, prepare

SMALL = Contract(
    cameras=("front",), image_size=(8, 8), state_dim=3, action_dim=3, camera_dim=4, cond_dim=7, pred_horizon=5,
    num_action_steps=2,
)  # fmt: skip
TINY = {"width": 16, "blocks": 2, "heads": 2, "time_tokens": 2}
MIXINGS = ["full", "block(2)", "uniform", "static", "residual"]


def stirred(head: IMFHead) -> IMFHead:
    """Random weights everywhere: a fresh head has zero outputs and zero queries."""
    generator = torch.Generator().manual_seed(1)
    for parameter in head.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return head


def gradients(loss: Tensor, module: nn.Module) -> tuple[Tensor, ...]:
    """Derivatives of a loss by every parameter, in the order of ``parameters()``."""
    return torch.autograd.grad(loss, list(module.parameters()))


def head_of(**settings: object) -> IMFHead:
    """The stirred head with these settings, the same in every call."""
    torch.manual_seed(0)
    return stirred(IMFHead(IMFConfig.model_validate(TINY | settings), SMALL).double())


def batch(n: int = 6) -> tuple[Samples, Tensor, Tensor, Tensor]:
    """Samples with padding in two of them, times r ≤ t of which every third is r = t, and noise; float64."""
    g = torch.Generator().manual_seed(2)
    cond = torch.randn(n, 2, 7, generator=g, dtype=torch.float64)
    actions = torch.rand(n, 5, 3, generator=g, dtype=torch.float64) * 2 - 1
    valid = torch.ones(n, 5, dtype=torch.bool)
    valid[1, 2:] = valid[2, 4:] = False
    t = torch.rand(n, generator=g, dtype=torch.float64) * 0.9 + 0.1
    r = torch.where(torch.arange(n) % 3 == 0, t, t * torch.rand(n, generator=g, dtype=torch.float64))
    e = torch.randn(actions.shape, generator=g, dtype=torch.float64)
    return prepare(cond, actions, valid, Draws(torch.arange(n))), r, t, e
