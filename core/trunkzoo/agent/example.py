"""Made-up observations, actions and statistics in a contract's shapes: for tests, benchmarks and the smoke test."""

from __future__ import annotations

import torch
from torch import Tensor

from trunkzoo.nn.draws import sample_seeds
from trunkzoo.plugin.contract import ACTION_KEY, PAD_KEY, SEED_KEY, STATE_KEY, Contract

BATCH = 2


def unit_statistics(contract: Contract) -> dict[str, dict[str, list[float]]]:
    """Statistics of data that fills [-1, 1], for agents that have not seen data yet."""
    dims = {STATE_KEY: contract.state_dim, ACTION_KEY: contract.action_dim}
    values = {"min": -1.0, "max": 1.0, "mean": 0.0, "std": 1.0, "q01": -1.0, "q99": 1.0}
    return {key: {name: [value] * dim for name, value in values.items()} for key, dim in dims.items()}


def random_batch(contract: Contract, size: int = BATCH, seed: int = 0) -> dict[str, Tensor]:
    """A batch of random pixels, states and actions in the contract's shapes, nothing padded."""
    generator = torch.Generator().manual_seed(seed)
    image = (size, contract.obs_horizon, 3, *contract.image_size)  # (B, T, 3, H, W)
    actions = (size, contract.pred_horizon, contract.action_dim)  # (B, P, A)
    batch = {key: torch.randint(0, 256, image, generator=generator, dtype=torch.uint8) for key in contract.image_keys}
    batch[STATE_KEY] = torch.rand(size, contract.obs_horizon, contract.state_dim, generator=generator) * 2 - 1
    batch[ACTION_KEY] = torch.rand(actions, generator=generator) * 2 - 1
    batch[PAD_KEY] = torch.zeros(actions[:2], dtype=torch.bool)
    batch[SEED_KEY] = sample_seeds(seed, torch.arange(size))
    return batch


def random_noise(contract: Contract, size: int = BATCH) -> Tensor:
    """Standard normal start noise (size, pred_horizon, action_dim), the same in every call."""
    shape = (size, contract.pred_horizon, contract.action_dim)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))
