"""A policy of lerobot as trunkzoo lets it act: in this process, or in one of the Python that has lerobot."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from trunkzoo.plugin import PluginError, RolloutContext, Task, UsageError, parse_table
from trunkzoo_lerobot import saved
from trunkzoo_lerobot.config import LerobotConfig
from trunkzoo_lerobot.server import Actor, receive, send, versions

SERVER = Path(__file__).with_name("server.py")
PATIENCE = 2.0  # seconds: until loading is worth a word, and for the process to leave
_VERSIONS = TypeAdapter(dict[str, str])


class Acting(Protocol):
    """:class:`trunkzoo_lerobot.server.Actor`, wherever it is."""

    @property
    def looks(self) -> bool:
        """Whether the next action depends on what is seen."""
        ...

    def reset(self) -> None:
        """Forget the last episode."""
        ...

    def act(self, observation: Mapping[str, NDArray[Any]], seed: int) -> tuple[NDArray[np.float32], float | None]:
        """The next action, and milliseconds where a chunk was predicted."""
        ...


class RemoteActor:
    """The actor in a process of another Python, over its stdin and stdout; it leaves when this process does."""

    def __init__(self, python: str, folder: Path, device: str, instruction: str = "") -> None:
        self._python, self.looks = python, True
        command = [python, str(SERVER), str(folder), device, instruction]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), bufsize=-1
            )
        except OSError as error:
            raise no_such_python(python, error) from None
        said = threading.Timer(PATIENCE, self._say_that_it_loads)
        said.start()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        finally:
            said.cancel()

    def _say_that_it_loads(self) -> None:
        print(f"note: lerobot loads in {self._python}; the first time takes longest", file=sys.stderr, flush=True)

    def reset(self) -> None:
        """Forget the last episode."""
        self._ask({"do": "reset"}, {})
        self.looks = True

    def act(self, observation: Mapping[str, NDArray[Any]], seed: int) -> tuple[NDArray[np.float32], float | None]:
        """The next action, and milliseconds where a chunk was predicted."""
        words, arrays = self._ask({"do": "act", "seed": seed}, observation)
        self.looks = words["looks"]
        return arrays["action"], words["ms"]

    def _ask(self, words: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._process.stdin is None:
            raise AssertionError("the process was started without a pipe")
        with contextlib.suppress(BrokenPipeError):  # then the answer says why
            send(self._process.stdin, words, arrays)  # type: ignore[arg-type]  # a buffered writer, by bufsize
        return self._answer()

    def _answer(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._process.stdout is None:
            raise AssertionError("the process was started without a pipe")
        try:
            words, arrays = receive(self._process.stdout)  # type: ignore[arg-type]  # a buffered reader, by bufsize
        except EOFError:
            code = self._process.wait()
            raise PluginError(
                f"the process of {self._python} ended with {code}; its last words are in the log"
            ) from None
        if "error" in words:
            raise PluginError(f"lerobot in {self._python}: {words['error']}")
        return words, arrays

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class LerobotPolicy:
    """Shows an actor what it reads, and gives it a seed for every step: a hash of (noise seed, episode seed, step)."""

    def __init__(self, actor: Acting, keys: tuple[str, ...], noise_seed: int) -> None:
        self._actor, self._keys, self._noise_seed = actor, keys, noise_seed
        self._seed = self._step = 0
        self.latencies: list[float] = []

    def reset(self, task: Task, seed: int) -> None:
        """Begin the episode of ``seed``."""
        self._actor.reset()
        self._seed, self._step, self.latencies = seed, 0, []

    def act(self, task: Task) -> NDArray[np.float32]:
        """The policy's action."""
        seen = task.observe() if self._actor.looks else {}
        observation = {key: np.asarray(seen[key]) for key in self._keys if seen}
        action, spent = self._actor.act(observation, step_seed(self._noise_seed, self._seed, self._step))
        self._step += 1
        if spent is not None:
            self.latencies.append(spent)
        return action

    def close(self) -> None:
        """End the other process, where there is one."""
        if isinstance(self._actor, RemoteActor):
            self._actor.close()


def step_seed(noise_seed: int, seed: int, step: int) -> int:
    """A seed of 63 bits for torch."""
    digest = hashlib.sha256(f"{noise_seed} {seed} {step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def make(config: LerobotConfig, context: RolloutContext) -> LerobotPolicy:
    """The policy of a folder, in another Python or, where none is named, here."""
    found = saved.read(config.path)
    actor: Acting = (
        RemoteActor(program(config.python), found.folder.absolute(), context.device, config.instruction)
        if config.python
        else Actor(str(found.folder), context.device, config.instruction)
    )
    return LerobotPolicy(actor, found.keys, context.noise_seed)


@cache
def versions_in(python: str) -> dict[str, str]:
    """Versions of lerobot, torch and numpy in ``python`` or, where that is empty, here.

    Raises:
        UsageError: there is no such Python, or lerobot is not installed in it.
    """
    if not python:
        return versions()
    try:
        asked = subprocess.run(
            [program(python), str(SERVER), "--versions"], env=environment(), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise no_such_python(python, error) from None
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UsageError(f"python {python} has no lerobot: {last}; name the one of lerobot's environment", ["settings"])
    try:
        return _VERSIONS.validate_python(parse_table(asked.stdout))
    except ValueError:
        raise UsageError(f"python {python} is no Python: it says {asked.stdout[:80]!r}", ["settings"]) from None


def program(python: str) -> str:
    """The path as it is, from the root; a bare name is looked up by the system. Links stay: they choose the environment."""
    return os.path.abspath(python) if os.path.dirname(python) else python


def no_such_python(python: str, error: OSError) -> UsageError:
    """The mistake of a Python that cannot be started."""
    return UsageError(f"python {python}: {error.strerror}; write the Python of lerobot's environment", ["settings"])


def environment() -> dict[str, str]:
    """This process's, without what leads another Python to our packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
