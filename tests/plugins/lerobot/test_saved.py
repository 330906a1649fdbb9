"""What lerobot saves is read without lerobot: features held against tasks, hashes, and faults in one line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkzoo.plugin import CheckpointError, TaskContract, UsageError
from trunkzoo_lerobot import saved
from trunkzoo_lerobot.policy import RemoteActor, step_seed, versions_in
from trunkzoo_lerobot.server import receive, send

CONTRACT = TaskContract(cameras=("top", "side"), image_size=(96, 128), state_dim=7, action_dim=4)


def write(folder: Path, inputs: dict[str, list[int]], action: list[int] | None = None, **settings: Any) -> Path:
    """A folder as lerobot's, of which nothing but the features is real."""
    folder.mkdir(parents=True)
    features = {key: {"type": "ANY", "shape": shape} for key, shape in inputs.items()}
    outputs = {"action": {"type": "ACTION", "shape": action}} if action else {}
    said = {"type": "act", "input_features": features, "output_features": outputs, **settings}
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "policy_preprocessor.json").write_text("{}")
    return folder


FITS = {"observation.images.top": [3, 96, 128], "observation.state": [7]}


@pytest.mark.parametrize("inside", saved.INSIDE)
def test_a_policy_is_found_where_lerobot_leaves_it(inside: str, tmp_path: Path) -> None:
    write(tmp_path / "out" / inside, FITS, [4])
    found = saved.read(str(tmp_path / "out"))
    assert (found.type, found.keys) == ("act", tuple(FITS))
    assert saved.misfits(found, CONTRACT) == []  # a camera that it does not read is none


@pytest.mark.parametrize(
    ("inputs", "action", "told"),
    [
        ({"observation.images.front": [3, 96, 128]}, [4], "camera front: the task has top, side"),
        (
            {"observation.images.side": [3, 84, 84]},
            [4],
            "camera side: the policy reads 84 × 84 pixels, the task shows 96 × 128",
        ),
        ({"observation.state": [14]}, [4], "state: the policy reads 14 numbers, the task has 7"),
        ({"observation.environment_state": [3]}, [4], "observation.environment_state: the policy reads it"),
        ({}, [6], "action: the policy gives 6 numbers, the task takes 4"),
        ({}, None, "action: the policy gives none, the task takes 4"),
    ],
)
def test_what_does_not_fit_is_told_feature_by_feature(
    inputs: dict[str, list[int]], action: list[int] | None, told: str, tmp_path: Path
) -> None:
    found = saved.misfits(saved.read(str(write(tmp_path / "act", FITS | inputs, action))), CONTRACT)
    assert [line.startswith(told) for line in found] == [True]


def test_weights_and_processors_are_hashed_apart(tmp_path: Path) -> None:
    folder = write(tmp_path / "act", FITS, [4])
    before = saved.read(str(folder))
    weights, processors = saved.weights_sha256(before), saved.processors_sha256(before)
    (folder / "policy_preprocessor_step_3_normalizer_processor.safetensors").write_bytes(b"other statistics")
    assert saved.weights_sha256(before) == weights
    assert saved.processors_sha256(before) != processors
    (folder / "eval-lerobot.jsonl").write_text("rows beside it decide nothing")
    assert saved.processors_sha256(before) != processors
    assert len({weights, processors}) == 2


def test_the_step_is_what_lerobot_noted(tmp_path: Path) -> None:
    folder = write(tmp_path / "000040" / "pretrained_model", FITS, [4])
    assert saved.step(saved.read(str(folder))) is None
    (tmp_path / "000040" / "training_state").mkdir()
    (tmp_path / "000040" / "training_state" / "training_step.json").write_text('{"step": 40}')
    assert saved.step(saved.read(str(tmp_path / "000040"))) == 40


def test_faults_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no policy of lerobot at .*nowhere: there is no config\.json"):
        saved.read(str(tmp_path / "nowhere"))
    folder = write(tmp_path / "act", FITS, [4])
    (folder / "policy_preprocessor.json").unlink()
    with pytest.raises(CheckpointError, match=r"lacks policy_preprocessor\.json; lerobot 0\.6 saves both"):
        saved.read(str(folder))
    (folder / "policy_preprocessor.json").write_text("{}")
    (folder / "config.json").write_text('{"type": "act"}')
    with pytest.raises(
        CheckpointError, match=r"is no configuration of a policy of lerobot: KeyError\('input_features'\)"
    ):
        saved.read(str(folder))


@pytest.mark.parametrize("text", ["[" * 5000, '{"type": ' + "9" * 5000 + "}", '{"type": 1e999}', "[]", "\x00"])
def test_settings_beyond_the_limits_are_one_error(text: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoints" / "act", FITS, [4])
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.json is no configuration of a policy of lerobot"):
        saved.read(str(folder))
    write(tmp_path / "checkpoints" / "whole", FITS, [4])
    state = tmp_path / "checkpoints" / "training_state"
    state.mkdir()
    (state / "training_step.json").write_text(text)
    assert saved.step(saved.read(str(tmp_path / "checkpoints" / "whole"))) is None


def test_a_program_that_is_no_python_is_named(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho '[1]'\n")
    program.chmod(0o755)
    with pytest.raises(UsageError, match=r"python .*/program is no Python: it says '\[1\]"):
        versions_in(str(program))


def test_a_python_that_cannot_serve_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"python .*/nothing: No such file or directory; write the Python of"):
        versions_in(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match=r"python .*/nothing: No such file"):
        RemoteActor(str(tmp_path / "nothing"), tmp_path, "cpu")


def test_messages_carry_arrays_bit_for_bit() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::2]
    sent: dict[str, NDArray[Any]] = {"image": image, "state": np.array([1.5, -0.0, np.inf], np.float32)}
    stream = io.BytesIO()
    send(stream, {"do": "act", "seed": 2**62}, sent)
    send(stream, {"do": "reset"})
    stream.seek(0)
    words, arrays = receive(stream)
    assert words == {"do": "act", "seed": 2**62}
    assert {name: (a.dtype, a.tobytes()) for name, a in arrays.items()} == {
        name: (a.dtype, a.tobytes()) for name, a in sent.items()
    }
    assert receive(stream) == ({"do": "reset"}, {})
    with pytest.raises(EOFError):
        receive(stream)


def test_every_step_of_every_episode_has_its_own_seed() -> None:
    seeds = {step_seed(noise, seed, step) for noise in range(3) for seed in range(11) for step in range(111)}
    assert len(seeds) == 3 * 11 * 111
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert step_seed(1, 11, 1) != step_seed(11, 1, 1)
