"""An agent behind a socket answers as it does without one, and a client's fault is a line, not the server's end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("websockets")
pytest.importorskip("msgpack")

from websockets.sync.client import ClientConnection, connect

from reach_task import install, untrained
from trunkzoo.agent.agent import Agent
from trunkzoo.checkpoint import load_agent
from trunkzoo.errors import DataError
from trunkzoo.plugin.contract import STATE_KEY
from trunkzoo.registry import open_zoo
from trunkzoo.serving.server import running, window_of
from trunkzoo.serving.wire import pack, unpack
from trunkzoo_cli.app import main


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(monkeypatch)
    return untrained(tmp_path)


@pytest.fixture
def agent(run: Path) -> Agent:
    return load_agent(run, open_zoo().catalogue)


@pytest.fixture
def client(agent: Agent) -> Iterator[ClientConnection]:
    with running(agent, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        with connect(f"ws://127.0.0.1:{port}", compression=None) as connection:
            yield connection
        server.shutdown()
        thread.join()


def observation(agent: Agent) -> dict[str, Any]:
    random = np.random.default_rng(0)
    images = {
        key: random.integers(0, 256, (*agent.contract.image_size, 3), np.uint8) for key in agent.contract.image_keys
    }
    return {**images, STATE_KEY: random.random(agent.contract.state_dim, np.float32)}


def ask(client: ClientConnection, message: Any) -> dict[str, Any] | str:
    client.send(message if isinstance(message, str | bytes) else pack(message))
    answer = client.recv()
    return answer if isinstance(answer, str) else unpack(answer)


def test_a_client_gets_what_the_agent_predicts(agent: Agent, client: ClientConnection) -> None:
    first = client.recv()
    assert isinstance(first, bytes)
    assert unpack(first)["contract"]["cond_dim"] == agent.contract.cond_dim
    seen = observation(agent)
    answer = ask(client, {**seen, "seed": 7})
    assert isinstance(answer, dict)
    shape = (1, agent.contract.pred_horizon, agent.contract.action_dim)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    images = {key: torch.from_numpy(seen[key]).permute(2, 0, 1)[None, None] for key in agent.contract.image_keys}
    expected = agent.predict({**images, STATE_KEY: torch.from_numpy(seen[STATE_KEY])[None, None]}, noise)
    np.testing.assert_array_equal(answer["actions"], expected[0].numpy())
    assert answer["server_timing"]["infer_ms"] > 0


def test_a_wrong_observation_is_a_line_and_the_connection_stays(agent: Agent, client: ClientConnection) -> None:
    client.recv()
    seen = observation(agent)
    state = np.full(agent.contract.state_dim, np.nan, np.float32)
    for message, told in [
        ("hello", "send MessagePack"),
        (b"\xc1", "no MessagePack"),
        (b"\x01", "not a map"),
        (
            {STATE_KEY: seen[STATE_KEY]},
            f"is missing; sent: '{STATE_KEY}' float32 (2,); send an array (16, 16, 3) of uint8",
        ),
        ({**seen, STATE_KEY: [0.5, 0.5]}, f"'{STATE_KEY}' is list; send an array (2,) of numbers"),
        ({key: value[:8] for key, value in seen.items()}, "uint8 (8, 16, 3); send an array (16, 16, 3) of uint8"),
        ({**seen, STATE_KEY: state}, "not finite"),
        ({**seen, STATE_KEY: np.zeros(99, np.float32)}, f"'{STATE_KEY}' is float32 (99,); send an array (2,)"),
        ({**seen, "seed": 1.5}, "send an integer"),
    ]:
        answer = ask(client, message)
        assert isinstance(answer, str)
        assert told in answer
        assert "\n" not in answer
    assert isinstance(ask(client, seen), dict)


def test_one_step_fills_the_window_and_a_window_stays_as_it_is(agent: Agent) -> None:
    contract = agent.contract.model_copy(update={"obs_horizon": 2})
    seen = observation(agent)
    once = window_of(seen, contract)
    twice = window_of({key: np.stack([value, value]) for key, value in seen.items()}, contract)
    assert all(torch.equal(once[key], twice[key]) for key in once)
    assert once[STATE_KEY].shape == (1, 2, contract.state_dim)


@pytest.mark.parametrize(
    "value", [np.arange(6.0).reshape(2, 3), np.zeros((0, 4), np.uint8), np.float32(1.5), [1, "a", None]]
)
def test_what_is_packed_comes_back(value: Any) -> None:
    back = unpack(pack({"value": value}))["value"]
    np.testing.assert_array_equal(back, value)
    assert getattr(back, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize(
    ("change", "told"),
    [({b"dtype": "O"}, "send numbers"), ({b"shape": [9]}, "another number"), ({b"shape": [-1, 2]}, "integers")],
)
def test_an_array_that_lies_is_refused(change: dict[bytes, Any], told: str) -> None:
    import msgpack

    array = {b"__ndarray__": True, b"data": bytes(8), b"dtype": "<f4", b"shape": [2], **change}
    with pytest.raises(DataError, match=told):
        unpack(msgpack.packb({"value": array}))


@pytest.mark.parametrize(
    "value",
    [
        {b"__ndarray__": True, b"dtype": "i4,(1000000000,)f8", b"shape": [0], b"data": b""},
        {b"__ndarray__": True, b"dtype": "<f4", b"shape": [2**63] * 100_000, b"data": b""},
        {b"__npgeneric__": True, b"dtype": "|i1", b"data": 2**63},
    ],
)
def test_what_numpy_would_read_otherwise_is_refused(value: dict[bytes, Any]) -> None:
    import msgpack

    with pytest.raises(DataError):
        unpack(msgpack.packb({"a": value}))


def test_the_command_serves_until_it_is_asked_to_end(run: Path) -> None:
    command = [sys.executable, "-m", "trunkzoo_cli", "serve", str(run), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while not (found := re.search(r"ws://127\.0\.0\.1:(\d+)", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/healthz") as answer:
            assert answer.read() == b"OK\n"
        with connect(f"ws://127.0.0.1:{found[1]}") as client:
            client.recv()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken_is_wrong_use(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as left:
        main(["serve", str(run), "--port", str(taken.getsockname()[1])])
    assert left.value.code == 2
    assert "give --host or --port" in capsys.readouterr().err
