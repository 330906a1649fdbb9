"""Acting chunk by chunk: the history and the action queue around whatever predicts a chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping

import torch
from torch import Tensor

from trunkzoo.errors import ContractError, DataError
from trunkzoo.plugin.contract import STATE_KEY, Contract


class Acting(ABC):
    """What acts for B environments in step; a subclass has ``contract`` and ``device`` and predicts the chunks."""

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self._history: deque[dict[str, Tensor]] = deque(maxlen=contract.obs_horizon)
        self._queue: deque[Tensor] = deque()
        self.num_action_steps = contract.num_action_steps
        """Actions of each chunk that :meth:`act` executes, 1 to pred_horizon; the contract's unless set."""

    @property
    @abstractmethod
    def contract(self) -> Contract:
        """The numbers that observations and actions keep to."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where observations are wanted."""

    @abstractmethod
    def predict(
        self, obs: Mapping[str, Tensor], noise: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """A chunk (B, pred_horizon, action_dim) in raw units for a window of observations."""

    @property
    def needs_chunk(self) -> bool:
        """True if the next :meth:`act` predicts a new chunk."""
        return not self._queue

    @property
    def needs_observation(self) -> bool:
        """True if the next :meth:`act` reads its observation: it will be in the window of the next prediction."""
        return len(self._queue) < self.contract.obs_horizon

    def act(
        self, obs: Mapping[str, Tensor], noise: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """One control step for B environments in step: actions (B, action_dim) in raw units.

        ``obs`` holds one time step, images (B, 3, H, W) and ``observation.state`` (B, state_dim); its keys are read
        only when :attr:`needs_observation`, so a lazy mapping need not render the others. Every
        ``num_action_steps`` calls a new chunk is predicted; the first observation of an episode is repeated.
        """
        if self.needs_observation:
            self._remember(obs)
        if self.needs_chunk:
            window = {key: torch.stack([frame[key] for frame in self._history], dim=1) for key in self._history[-1]}
            chunk = self.predict(window, noise, generator)
            self._queue.extend(chunk[:, : self.num_action_steps].unbind(dim=1))  # each (B, A)
        return self._queue.popleft()

    def reset(self) -> None:
        """Forget the history and the queued actions: a new episode begins."""
        self._history.clear()
        self._queue.clear()

    def start_noise(self, size: int, noise: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """``noise``, or else a draw (size, pred_horizon, action_dim) of the ``generator`` or torch's global one.

        Raises:
            ContractError: ``noise`` has another shape.
        """
        shape = (size, self.contract.pred_horizon, self.contract.action_dim)
        if noise is not None:
            if noise.shape != shape:
                raise ContractError(f"noise has shape {tuple(noise.shape)}, these observations want {shape}")
            return noise
        return torch.randn(shape, generator=generator, device=generator.device if generator else None)

    def _remember(self, obs: Mapping[str, Tensor]) -> None:
        keys = (*self.contract.image_keys, STATE_KEY)
        missing = [key for key in keys if key not in obs]
        if missing:
            raise DataError(f"the observation lacks {', '.join(missing)}; this agent reads {', '.join(keys)}")
        frame = {key: obs[key].to(self.device) for key in keys}
        self._history.append(frame)
        while len(self._history) < self.contract.obs_horizon:
            self._history.append(frame)
