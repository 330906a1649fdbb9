"""The server: one process, one agent, a thread per client, one prediction at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from trunkzoo.agent.agent import Agent
from trunkzoo.errors import LONGEST, DataError, ZooError, printable
from trunkzoo.plugin.contract import SEED_KEY, STATE_KEY, Contract
from trunkzoo.serving.wire import pack, unpack

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

LARGEST = 1 << 26  # bytes of one message: some dozens of camera images


def metadata(agent: Agent) -> dict[str, Any]:
    """What a client is told first: the recipe, and the contract that its observations must keep."""
    facts = agent.contract.model_dump(mode="json")
    return {"recipe": agent.recipe.name, "contract": facts, "keys": [*agent.contract.image_keys, STATE_KEY]}


def window_of(observation: Mapping[str, Any], contract: Contract) -> dict[str, Tensor]:
    """The window (1, obs_horizon, …) of an observation: images (H, W, 3) and state (state_dim,), or each with time in front.

    One time step is repeated to fill the window, as at the start of an episode.

    Raises:
        DataError: a key is absent or no array, or an array has another shape.
    """
    window: dict[str, Tensor] = {}
    for key in (*contract.image_keys, STATE_KEY):
        value, shape = observation.get(key), _shape_of(key, contract)
        if not isinstance(value, np.ndarray) or value.shape not in (shape, (contract.obs_horizon, *shape)):
            raise DataError(_asked_for(key, observation, contract))
        steps = value if value.ndim > len(shape) else np.repeat(value[None], contract.obs_horizon, 0)
        window[key] = _tensor(steps, image=key != STATE_KEY)[None]
    return window


def _shape_of(key: str, contract: Contract) -> tuple[int, ...]:
    """The shape of one time step."""
    return (contract.state_dim,) if key == STATE_KEY else (*contract.image_size, 3)


def _asked_for(key: str, observation: Mapping[str, Any], contract: Contract) -> str:
    """One line: what is wrong with a key, and what it must be."""
    shape, steps = _shape_of(key, contract), contract.obs_horizon
    values = "numbers" if key == STATE_KEY else "uint8, or float in [0, 1]"
    window = f", or the last {steps} of them as {(steps, *shape)}" if steps > 1 else ""
    sent = ", ".join(f"'{name}' {_told(value)}" for name, value in observation.items() if name != SEED_KEY)
    given = f"is {_told(observation[key])}" if key in observation else f"is missing; sent: {sent or 'nothing'}"
    sized = key != STATE_KEY and getattr(observation.get(key), "shape", ())[-1:] == (3,)
    how = "; resize each side of an image on its own, as training did" if sized else ""
    return printable(f"'{key}' {given}; send an array {shape} of {values}{window}{how}", LONGEST)


def _told(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _tensor(steps: NDArray[Any], image: bool) -> Tensor:
    if not image:
        return torch.from_numpy(steps.astype(np.float32))  # (T, state_dim)
    kept = steps if steps.dtype == np.uint8 else steps.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(kept, -1, 1)).copy())  # (T, 3, H, W)


class AgentServer:
    """Answers observations with chunks of actions."""

    def __init__(self, agent: Agent, seed: int = 0) -> None:
        self._agent, self._lock = agent, threading.Lock()
        self._generator = torch.Generator().manual_seed(seed)

    def answer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """``actions`` (pred_horizon, action_dim) float32 in raw units, and the milliseconds that they took.

        With an integer under ``seed`` the head starts from that seed's noise; otherwise from the server's next.

        Raises:
            DataError, ContractError: the observation does not keep the contract.
        """
        window = {
            key: value.to(self._agent.device) for key, value in window_of(observation, self._agent.contract).items()
        }
        seed = observation.get(SEED_KEY)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise DataError(f"'{SEED_KEY}' is {printable(type(seed).__name__)}; send an integer, or none")
        with self._lock:
            began = time.perf_counter()
            generator = self._generator if seed is None else torch.Generator().manual_seed(int(seed))
            chunk = self._agent.predict(window, self._noise(generator))
            actions = chunk[0].float().cpu().numpy()
            spent = 1000 * (time.perf_counter() - began)
        return {"actions": actions, "server_timing": {"infer_ms": spent}}

    def _noise(self, generator: torch.Generator) -> Tensor:
        contract = self._agent.contract
        return torch.randn(1, contract.pred_horizon, contract.action_dim, generator=generator)

    def attend(self, connection: ServerConnection) -> None:
        """Serve one client until it leaves: metadata first, then an answer per observation, or what is wrong as a text."""
        try:
            connection.send(pack(metadata(self._agent)))
            for message in connection:
                connection.send(self._reply(message))
        except ConnectionClosed:
            pass  # the client went away without a word: nobody waits for an answer

    def _reply(self, message: str | bytes) -> str | bytes:
        try:
            if isinstance(message, str):
                raise DataError("the message is a text; send MessagePack")
            return pack(self.answer(unpack(message)))
        except ZooError as error:
            return str(error)


@contextmanager
def running(agent: Agent, host: str, port: int, seed: int = 0) -> Iterator[Server]:
    """A server that listens on ``host``:``port``, 0 for a free port; ``serve_forever`` serves, leaving closes it.

    Raises:
        OSError: the place is taken or not ours.
    """
    attend = AgentServer(agent, seed).attend
    with serve(attend, host, port, max_size=LARGEST, compression=None, process_request=_health) as server:
        yield server


def _health(connection: ServerConnection, request: Request) -> Response | None:
    """``GET /healthz`` is answered without a websocket, for those who watch the process."""
    return connection.respond(200, "OK\n") if request.path == "/healthz" else None
