"""lerobot's side: loads a policy and answers observations with actions, here or as a program of another Python.

Nothing of trunkzoo is imported: as a program it needs lerobot, torch and numpy alone. Messages are a JSON object behind
its length, and after it the bytes of the arrays that it lists.
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
PACKAGES = ("lerobot", "torch", "numpy")
IMAGE = 3  # dimensions of an image (H, W, 3)


def versions() -> dict[str, str]:
    """Versions of what acts; nothing is imported for it."""
    return {name: metadata.version(name) for name in PACKAGES}


def send(stream: BinaryIO, words: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message."""
    listed = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    head = json.dumps({**words, "arrays": [[name, a.dtype.str, a.shape] for name, a in listed.items()]}).encode()
    stream.write(struct.pack("<I", len(head)) + head + b"".join(array.tobytes() for array in listed.values()))
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read one message.

    Raises:
        EOFError: the other side has gone.
    """
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    words: dict[str, Any] = json.loads(_exactly(stream, length))
    arrays = {}
    for name, dtype, shape in words.pop("arrays"):
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        arrays[name] = np.frombuffer(_exactly(stream, size), dtype).reshape(shape)
    return words, arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


class Actor:
    """A policy of lerobot between its processors, one environment at a time, on one thread."""

    def __init__(self, folder: str, device: str, instruction: str) -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # all that acts lies in the folder
        import torch
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors
        from lerobot.utils.import_utils import register_third_party_plugins

        torch.set_num_threads(1)  # the sum of a dot product must not depend on the machine's cores
        torch.backends.cudnn.allow_tf32 = False
        register_third_party_plugins()
        config = PreTrainedConfig.from_pretrained(folder)
        config.device = device
        if hasattr(config, "pretrained_backbone_weights"):
            config.pretrained_backbone_weights = None  # they are among the saved ones; asking for them would download
        self._policy = (
            get_policy_class(config.type).from_pretrained(folder, config=config, strict=True).to(device).eval()
        )
        where = {"device_processor": {"device": device}}
        self._before, self._after = make_pre_post_processors(config, folder, preprocessor_overrides=where)
        self._torch, self._device, self._predictions = torch, device, 0
        self._instruction = instruction
        self._seen: dict[str, Any] = {}
        self._count_predictions()

    def _count_predictions(self) -> None:
        predict = self._policy.predict_action_chunk

        def counted(*args: Any, **options: Any) -> Any:
            self._predictions += 1
            return predict(*args, **options)

        self._policy.predict_action_chunk = counted

    def reset(self) -> None:
        """Forget the last episode."""
        for part in (self._policy, self._before, self._after):
            part.reset()

    @property
    def looks(self) -> bool:
        """Whether the next action depends on what is seen: not while a policy of one observation plays its chunk."""
        queue = getattr(self._policy, "_action_queue", None)
        if queue is None:
            queue = getattr(self._policy, "_queues", {}).get("action")
        return self._policy.config.n_obs_steps > 1 or not queue

    def act(self, observation: Arrays, seed: int) -> tuple[NDArray[np.float32], float | None]:
        """The action (action_dim,) of the next step, its noise from ``seed``; milliseconds where a chunk was predicted.

        Images are (H, W, 3) uint8, the state (state_dim,) float32; nothing where the policy does not look.
        """
        before = self._predictions
        start = time.perf_counter()
        if observation:  # else the last one stands where lerobot wants one, and nothing depends on it
            self._seen = {key: self._tensor(value) for key, value in observation.items()}
        with self._torch.no_grad(), self._seeded(seed):
            batch = self._seen | {"task": [self._instruction]}
            action = self._after(self._policy.select_action(self._before(batch)))
        spent = 1e3 * (time.perf_counter() - start)
        numbers = np.asarray(action.detach().cpu().numpy(), np.float32).reshape(-1)
        return numbers, spent if self._predictions > before else None

    @contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """Global generators, from which lerobot's policies draw, at ``seed``; afterwards they go on as before."""
        torch, ours, numpys = self._torch, random.getstate(), np.random.get_state()
        with torch.random.fork_rng([] if self._device == "cpu" else [self._device]):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            try:
                yield
            finally:
                random.setstate(ours)
                np.random.set_state(numpys)

    def _tensor(self, value: NDArray[Any]) -> Any:
        """(1, 3, H, W) in [0, 1] of an image, (1, state_dim) of a state."""
        tensor = self._torch.from_numpy(np.array(value))
        return (tensor.permute(2, 0, 1).float() / 255 if value.ndim == IMAGE else tensor.float())[None]


def serve(folder: str, device: str, instruction: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Load the policy, then answer until the other side goes; what fails is an answer too."""
    try:
        actor = Actor(folder, device, instruction)
        send(answers, {"ready": True})
        while True:
            words, arrays = receive(requests)
            if words["do"] == "reset":
                actor.reset()
                send(answers, {"done": True})
            else:
                action, spent = actor.act(arrays, words["seed"])
                send(answers, {"ms": spent, "looks": actor.looks}, {"action": action})
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        send(answers, {"error": f"{type(error).__name__}: {error}"})
        raise


def main() -> None:
    """``server.py --versions``, or ``server.py FOLDER DEVICE INSTRUCTION`` with messages on stdin and stdout."""
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps(versions()))
        return
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not fall among the messages
    serve(sys.argv[1], sys.argv[2], sys.argv[3], sys.stdin.buffer, answers)
    os._exit(0)  # tearing down torch takes seconds, and nothing is left to write


def _leave_with(parent: int) -> None:
    """End this process soon after the one that started it, also while a policy loads."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
