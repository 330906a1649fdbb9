"""What the improved-MeanFlow loss must not see: padding, autocast, how sources are mixed at first, other copies."""

import pytest
import torch
from torch import nn

from imf_cases import MIXINGS, SMALL, TINY, batch, gradients, head_of
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.registry import open_zoo
from trunkzoo_imf.config import IMFConfig
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.objective import prepare


@pytest.mark.parametrize("content", [0.0, 7.0, float("nan")])
def test_padded_actions_reach_neither_loss_nor_gradient(content: float) -> None:
    head = head_of().float()
    cond, actions = torch.randn(4, 2, 7), torch.rand(4, 5, 3)
    valid = torch.arange(5) < torch.tensor([5, 1, 3, 4])[:, None]
    results = []
    for padding in (1.0, content):
        filled = torch.where(valid[..., None], actions, torch.full_like(actions, padding))
        loss = head(cond, filled, valid, Draws(sample_seeds(0, torch.arange(4))))["loss"]
        results.append((loss, *gradients(loss, head)))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_the_correction_keeps_float32_under_autocast() -> None:
    head = head_of().float()
    samples, r, t, e = batch()
    given = (e.float(), r.float(), t.float(), e.float(), samples.cond.float(), samples.valid)
    plain = head.correction(*given)
    with torch.autocast("cpu", torch.bfloat16):
        cast = head.correction(*given)
    assert torch.equal(plain[0], cast[0])
    assert plain[0].dtype == torch.float32


def test_bfloat16_autocast_keeps_the_loss() -> None:
    head = head_of(output="sample").float()
    given = torch.randn(16, 2, 7), torch.rand(16, 5, 3), torch.ones(16, 5, dtype=torch.bool)
    seeds = sample_seeds(0, torch.arange(16))
    plain = head(*given, Draws(seeds))["mse_u"]
    with torch.autocast("cpu", torch.bfloat16):
        cast = head(*given, Draws(seeds))["mse_u"]
    torch.testing.assert_close(cast, plain, rtol=0.03, atol=0)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_fresh_heads_agree_under_every_mixing(mixing: str) -> None:
    """Zero queries weigh all sources alike, and every sublayer starts with a norm: at first all are residual nets."""
    torch.manual_seed(0)
    plain = IMFHead(IMFConfig.model_validate(TINY | {"mixing": "residual"}), SMALL)
    nn.init.normal_(plain.get_parameter("network.outputs.0.weight"))
    mixed = IMFHead(IMFConfig.model_validate(TINY | {"mixing": mixing}), SMALL)
    mixed.load_state_dict(plain.state_dict(), strict=False)
    samples, r, t, e = batch()
    given = e.float(), r.float(), t.float(), samples.cond.float()
    torch.testing.assert_close(mixed.velocities(*given)[0], plain.velocities(*given)[0], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("head", ["imf", "flow", "ddim", "drift", "regression"])
def test_noise_enters_a_fresh_network_from_zero(head: str) -> None:
    """Noise as large as torch's default lets it in drowns the positions for hundreds of steps: every head starts deaf."""
    built = open_zoo().catalogue.head(f"imf/{head}").spec
    network = built.build(built.config.model_validate(TINY), SMALL).network
    nn.init.normal_(network.outputs[0].weight)
    z, cond, t = torch.randn(2, 5, 3), torch.randn(2, 2, 7), torch.ones(2)
    assert torch.equal(network(z, t, t, cond)[0], network(torch.zeros_like(z), t, t, cond)[0])


def test_copies_of_a_sample_have_their_own_noise() -> None:
    samples = prepare(
        torch.zeros(2, 2, 7), torch.ones(2, 5, 3), torch.ones(2, 5, dtype=torch.bool), Draws(torch.arange(2)), copies=3
    )
    noise = samples.draw_noise()
    assert noise.shape == (6, 5, 3)
    assert len({tuple(chunk.flatten().tolist()) for chunk in noise}) == 6
