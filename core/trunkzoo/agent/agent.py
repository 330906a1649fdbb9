"""The agent: observation encoder + head + normalisers around an action queue. Data flows one way, camera to action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.acting import Acting
from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.agent.normalizer import Normalizer
from trunkzoo.agent.probe import probe
from trunkzoo.catalogue.part import Found
from trunkzoo.errors import ContractError, DataError
from trunkzoo.nn.draws import Draws
from trunkzoo.plugin.contract import ACTION_KEY, PAD_KEY, SEED_KEY, STATE_KEY, Contract
from trunkzoo.plugin.protocols import Head
from trunkzoo.registry.recipe import Recipe

_OVERSHOOT = 0.05  # of [0, 1] beyond either end: bicubic resizing does that


class Agent(Acting, nn.Module):
    """A policy under a fixed contract. ``forward`` is the training loss, so that DDP can wrap it.

    A batch holds, for each camera ``observation.images.<camera>`` (B, obs_horizon, 3, H, W) uint8 or float in
    [0, 1], ``observation.state`` (B, obs_horizon, state_dim), ``action`` (B, pred_horizon, action_dim) in raw
    units, ``action_is_pad`` (B, pred_horizon) bool and ``seed`` (B,) int64. The first action of a chunk belongs
    to the newest observation.
    """

    def __init__(
        self, recipe: Recipe, encoder: ObservationEncoder, head: nn.Module, parts: Sequence[Found[Any]] = ()
    ) -> None:
        """``parts`` are the records behind trunk, head and task, which a checkpoint names.

        Raises:
            ContractError: the modules do not give what they declare or what the contract expects.
        """
        super().__init__(recipe.contract)
        self.recipe = recipe
        self.parts = tuple(parts)
        self.probe = probe(recipe, encoder, head)
        self.encoder = encoder
        self.head = head
        self.state_normalizer = Normalizer(recipe.normalize.state, self.contract.state_dim, STATE_KEY)
        self.action_normalizer = Normalizer(recipe.normalize.action, self.contract.action_dim, ACTION_KEY)

    @property
    def contract(self) -> Contract:
        """The numbers this agent was built for."""
        return self.recipe.contract

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.action_normalizer.offset.device

    def fit_normalizers(self, stats: Mapping[str, Any]) -> None:
        """Take state and action statistics of the training data (see :class:`Normalizer`)."""
        self.state_normalizer.fit(stats)
        self.action_normalizer.fit(stats)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The head's loss on a batch: ``{"loss": scalar, …detached scalars}``."""
        draws = Draws(batch[SEED_KEY])
        cond = self.condition(batch, draws if self.training else None)  # (B, T, cond_dim); draws switch augmentation on
        actions = self.action_normalizer.normalize(batch[ACTION_KEY])  # (B, P, A) in about [-1, 1]
        return cast(dict[str, Tensor], self.head(cond, actions, ~batch[PAD_KEY], draws))

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The training loss of a batch, as :meth:`forward` gives it; behind DDP call the agent itself."""
        return cast(dict[str, Tensor], self(batch))

    def condition(self, obs: Mapping[str, Tensor], draws: Draws | None = None) -> Tensor:
        """The condition vector (B, obs_horizon, cond_dim) of a window of observations.

        Raises:
            DataError: a key is missing or its shape breaks the contract.
        """
        check_window(obs, self.contract)
        state = self.state_normalizer.normalize(obs[STATE_KEY])  # (B, T, S)
        return cast(Tensor, self.encoder(obs, state, draws))

    @torch.no_grad()
    def predict(
        self, obs: Mapping[str, Tensor], noise: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """A chunk (B, pred_horizon, action_dim) in raw units for a window of observations.

        ``noise`` (B, pred_horizon, action_dim) is the head's standard normal start; without it the ``generator``
        (or torch's global one) draws it.

        Raises:
            DataError: a key is missing, the state is not finite, or float images are not in [0, 1].
            ContractError: a shape differs.
        """
        check_window(obs, self.contract)
        check_numbers(obs, self.contract)
        return self.chunk(obs, self.start_noise(len(obs[STATE_KEY]), noise, generator))

    def chunk(self, obs: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The arithmetic of :meth:`predict`, without its checks: what an export holds."""
        state = self.state_normalizer.normalize(obs[STATE_KEY])  # (B, T, S)
        cond = cast(Tensor, self.encoder(obs, state))  # (B, T, cond_dim)
        chunk = cast(Head, self.head).sample(cond, noise.to(cond))  # (B, P, A), normalised
        return self.action_normalizer.denormalize(self.action_normalizer.clip(chunk))


def check_window(obs: Mapping[str, Tensor], contract: Contract) -> None:
    """Hold a window of observations against the contract.

    Raises:
        DataError: a key is absent.
        ContractError: a shape differs; the message shows both.
    """
    image = (contract.obs_horizon, 3, *contract.image_size)
    expected = dict.fromkeys(contract.image_keys, image) | {STATE_KEY: (contract.obs_horizon, contract.state_dim)}
    for key, shape in expected.items():
        if key not in obs:
            raise DataError(f"the observation lacks '{key}'; this agent reads {', '.join(expected)}")
        if tuple(obs[key].shape[1:]) != shape:
            got = ", ".join(str(n) for n in obs[key].shape)
            wanted = f"'{key}' has shape ({got}), the contract wants (B, {', '.join(map(str, shape))})"
            resized = "; training resizes each side of an image on its own, as trunkzoo.data.cache.resize does"
            raise ContractError(wanted + (resized if key != STATE_KEY and obs[key].dim() == 5 else ""))


def check_numbers(obs: Mapping[str, Tensor], contract: Contract) -> None:
    """Refuse a window on which a prediction would be nonsense without a word; not while a compiler traces.

    Raises:
        DataError: the state is not finite, or images are neither uint8 nor float in [0, 1].
    """
    if torch.compiler.is_compiling():
        return
    state = obs[STATE_KEY]
    if not bool(torch.isfinite(state).all()):
        raise DataError(f"'{STATE_KEY}' is not finite: {state.flatten().tolist()[:8]}; look at the robot's sensors")
    for key in contract.image_keys:
        image = obs[key]
        if image.dtype == torch.uint8:
            continue
        low, high = (float(end) for end in torch.aminmax(image.float()))
        if not (image.is_floating_point() and low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):
            found = f"{str(image.dtype).removeprefix('torch.')} from {low:g} to {high:g}"
            raise DataError(f"'{key}' is {found}; give uint8 in 0…255, or float in [0, 1]: divide by 255")
