"""Collecting demonstrations: what is executed, what is stored, and that the number of workers does not matter."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkzoo.catalogue.part import Configured, Part
from trunkzoo.data.lerobot.images import frames_at
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.errors import TaskError, UsageError
from trunkzoo.plugin import Step, TaskContract, TaskSpec
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts.collect import Collected, Demonstration, collect, demonstrate
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS
from trunkzoo.simulation.scene import Observation
from trunkzoo_robosuite import TWO_ARM_LIFT
from trunkzoo_robosuite.config import LiftConfig

needs_robosuite = pytest.mark.skipif(find_spec("robosuite") is None, reason="needs trunkzoo[robosuite]")


def task(name: str, **config: Any) -> Configured[TaskSpec[Any]]:
    return open_zoo().catalogue.configure("task", Part(name=name, config=config))


class Slider:
    """A point that moves by its command; it has arrived at 1. Its expert sends constant steps of a tenth."""

    contract = TaskContract(cameras=("eye",), image_size=(2, 2), state_dim=1, action_dim=1)
    action_low, action_high = np.array([-1], np.float32), np.array([1], np.float32)

    def __init__(self, tolerance: float = 0.0, steps: int = 12) -> None:
        self.executed: list[float] = []
        self._tolerance, self._steps, self._place = tolerance, steps, 0.0

    def reset(self, seed: int) -> None:
        self.executed, self._place = [], 0.0

    def observe(self) -> Observation:
        brightness = np.uint8(np.clip(100 * self._place, 0, 255))
        return Observation(
            np.array([self._place], np.float32),
            self.contract.cameras,
            lambda camera: np.full((2, 2, 3), brightness, np.uint8),
            lambda: len(self.executed),
        )

    def step(self, action: NDArray[np.float32]) -> Step:
        self.executed.append(float(action[0]))
        self._place += float(action[0])
        return Step(self._place, self._place > 0.95)

    def hold(self) -> NDArray[np.float32]:
        return np.zeros(1, np.float32)

    def expert(self, seed: int) -> Slider:
        return self

    def tolerance(self) -> NDArray[np.float32]:
        return np.array([self._tolerance], np.float32)

    def act(self) -> NDArray[np.float32] | None:
        return np.array([0.1], np.float32) if len(self.executed) < self._steps else None

    def close(self) -> None:
        pass


def test_a_demonstration_holds_what_was_seen_before_each_command() -> None:
    demo = demonstrate(Slider(), seed=0, noise=0.0, step_cap=50)
    assert np.allclose(demo.frames["observation.state"][:, 0], 0.1 * np.arange(12))
    assert demo.frames["observation.images.eye"].shape == (12, 2, 2, 3)
    assert demo.frames["observation.images.eye"][5].max() == 50
    assert demo.first_success == 9


def test_noise_is_executed_but_the_clean_command_is_stored() -> None:
    task = Slider(tolerance=0.05)
    demo = demonstrate(task, seed=0, noise=1.0, step_cap=50)
    assert (demo.frames["action"] == np.float32(0.1)).all()
    assert np.std(task.executed) > 0.01


def test_noise_has_the_stated_deviation_and_correlation() -> None:
    task = Slider(tolerance=0.05, steps=40_000)
    demonstrate(task, seed=0, noise=2.0, step_cap=40_000)
    noise = np.array(task.executed) - 0.1
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.9, abs=0.01)


def test_noise_zero_executes_the_command() -> None:
    task = Slider(tolerance=0.05)
    demonstrate(task, seed=0, noise=0.0, step_cap=50)
    assert set(task.executed) == {float(np.float32(0.1))}


def test_a_demonstration_that_does_not_arrive_in_time_has_failed() -> None:
    assert demonstrate(Slider(), seed=0, noise=0.0, step_cap=5).first_success is None


@pytest.mark.parametrize(("name", "value"), [("episodes", 0), ("workers", 0), ("noise", -1.0), ("first_seed", -1)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, name: str, value: float) -> None:
    arguments: dict[str, Any] = {"episodes": 1, name: value}
    with pytest.raises(UsageError, match=name.replace("_", " ")):
        collect(task("robosuite/two-arm-lift"), output=tmp_path / "data", **arguments)


def test_an_existing_output_is_refused_before_any_simulation(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match="already exists"):
        collect(task("robosuite/two-arm-lift"), 1, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    return collect(task("robosuite/two-arm-lift"), 2, tmp_path_factory.mktemp("collected") / "data", workers=2)


@pytest.fixture(scope="module")
def here() -> Demonstration:
    task = TWO_ARM_LIFT.build(LiftConfig())
    demo = demonstrate(task, DEMONSTRATION_SEEDS + 1, 1.0, TWO_ARM_LIFT.demo_steps)
    task.close()
    return demo


@needs_robosuite
@pytest.mark.slow
def test_worker_processes_record_what_this_process_records(collected: Collected, here: Demonstration) -> None:
    """Bit for bit: images, states and commands of the second episode."""
    reader, steps = LeRobotReader(collected.directory), TWO_ARM_LIFT.demo_steps
    columns = reader.columns(["observation.state", "action"])
    for key, values in here.frames.items():
        column = columns.get(key)
        stored = np.stack(frames_at(reader, key, range(steps, 2 * steps))) if column is None else column[steps:]
        assert np.array_equal(stored, values), key


@needs_robosuite
def test_the_dataset_says_how_to_make_it_again(collected: Collected) -> None:
    origin = json.loads((collected.directory / "meta" / "trunkzoo.json").read_text())
    assert origin["task"] == "robosuite/two-arm-lift"
    assert origin["seeds"] == list(collected.seeds)
    assert origin["noise"] == 1.0
    assert {"robosuite", "mujoco", "numpy", "trunkzoo"} <= origin["versions"].keys()


@needs_robosuite
def test_an_interrupted_collection_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_: Demonstration) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(task("robosuite/two-arm-lift"), 2, tmp_path / "data", workers=1, on_episode=interrupt)
    assert list(tmp_path.iterdir()) == []


@needs_robosuite
@pytest.mark.slow
def test_failed_demonstrations_are_replaced_by_later_seeds_and_reported(tmp_path: Path) -> None:
    result = collect(task("robosuite/two-arm-lift"), 3, tmp_path / "data", noise=4.0)
    assert result.failed_seeds
    tried = range(DEMONSTRATION_SEEDS, max(result.seeds) + 1)
    assert sorted((*result.seeds, *result.failed_seeds)) == list(tried)


@pytest.mark.skipif(find_spec("metaworld") is None, reason="needs trunkzoo[metaworld]")
@pytest.mark.slow
def test_hopeless_noise_ends_with_an_error_and_no_dataset(tmp_path: Path) -> None:
    push = task("metaworld/push", cameras=["gripperPOV"])
    with pytest.raises(TaskError, match="demonstrations failed, so nothing was written"):
        collect(push, 1, tmp_path / "data", noise=50.0)
    assert list(tmp_path.iterdir()) == []
