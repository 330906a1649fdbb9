"""An agent with perfect eyes, for benchmarks of heads: the object's pose through a small network in place of cameras."""

from __future__ import annotations

from typing import Any, cast

import torch
from posed_demonstrations import POSE_DIM, POSE_KEY, Windows
from torch import Tensor, nn

from trunkzoo.agent.assemble import build_head
from trunkzoo.agent.normalizer import Normalizer
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.nn.draws import Draws
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.train_config import TrainConfig
from trunkzoo.training.batches import Sampler
from trunkzoo.training.optimizer import Ema, adamw, learning_rate, set_rate

ENTRY = "entry"
"""A key of a head's settings here: "wide" lets the noise enter as torch's default makes it, as heads did before."""


class PoseAgent(nn.Module):
    """Pose → small network in place of the cameras, then state, then the head."""

    def __init__(self, recipe: Recipe, head: dict[str, Any], catalogue: Catalogue, seed: int) -> None:
        super().__init__()
        contract = recipe.contract
        self.steps, self.noise = contract.num_action_steps, recipe.encoder.state_noise
        self.chunk_shape = (contract.pred_horizon, contract.action_dim)
        torch.manual_seed(seed)
        eyes = contract.cond_dim - contract.state_dim
        self.eyes = nn.Sequential(nn.Linear(POSE_DIM, 128), nn.SiLU(), nn.Linear(128, eyes))
        config = {key: value for key, value in head.items() if key not in ("name", ENTRY)}
        part = catalogue.configure("head", Part(name=head["name"], config=config))
        built: Any = build_head(part, contract)
        if head.get(ENTRY) == "wide":
            torch.manual_seed(seed + 1)
            built.network.action_in.reset_parameters()
        self.head: Any = built
        dims = {STATE_KEY: contract.state_dim, POSE_KEY: POSE_DIM, ACTION_KEY: contract.action_dim}
        self.state, self.pose, self.action = (Normalizer("min_max", dim, key) for key, dim in dims.items())

    def fit(self, windows: Windows) -> None:
        """Take the ranges of the training data."""
        for normalizer in (self.state, self.pose, self.action):
            normalizer.fit(windows.stats)

    def condition(self, state: Tensor, pose: Tensor, draws: Draws | None = None) -> Tensor:
        """(B, 16) and (B, 9) → (B, 1, 208)."""
        state = self.state.normalize(state)
        if draws is not None:
            state = state + self.noise * draws.normal(state.shape[1])
        return torch.cat([self.eyes(self.pose.normalize(pose)), state], dim=-1)[:, None]

    def loss(self, windows: Windows, index: Tensor, seeds: Tensor) -> Tensor:
        """The head's loss on some windows."""
        state, pose, actions, valid = windows.take(index)
        draws = Draws(seeds)
        cond = self.condition(state, pose, draws)
        return cast(Tensor, self.head(cond, self.action.normalize(actions), valid, draws)["loss"])

    @torch.no_grad()
    def chunk(self, state: Tensor, pose: Tensor, noise: Tensor) -> Tensor:
        """A sampled chunk (B, H, A) in [-1, 1]."""
        return cast(Tensor, self.head.sample(self.condition(state, pose), noise)).clamp(-1, 1)


class Learner:
    """An agent, its optimiser and its average."""

    def __init__(self, agent: PoseAgent, config: TrainConfig, seed: int, windows: Windows) -> None:
        self.agent, self.config, self.windows = agent, config, windows
        self.optimizer, self.ema = adamw(agent, config), Ema(agent, config.ema)
        self.sampler = Sampler(seed, len(windows), config.batch_size)

    def step(self, step: int) -> None:
        """The update that follows ``step`` finished ones."""
        torch.autograd.backward(self.agent.loss(self.windows, self.sampler.indices(step), self.sampler.seeds(step)))
        nn.utils.clip_grad_norm_(self.agent.parameters(), self.config.clip_norm)
        set_rate(self.optimizer, learning_rate(step, self.config))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update()

    def acting(self) -> PoseAgent:
        """The agent with its averaged weights; training goes on from the live ones after :meth:`back`."""
        self.live = {name: value.clone() for name, value in self.agent.state_dict().items()}
        self.agent.load_state_dict(self.ema.weights(self.agent))
        return self.agent

    def back(self) -> None:
        """Undo :meth:`acting`."""
        self.agent.load_state_dict(self.live)
