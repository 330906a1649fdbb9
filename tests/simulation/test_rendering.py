"""Which GL is chosen, images of a scene, and observations that render when read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkzoo.errors import TaskError
from trunkzoo.simulation.gl import choose_gl, prepare_mujoco
from trunkzoo.simulation.scene import Observation, SceneRenderer

mujoco = pytest.importorskip("mujoco")
SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3" dir="0 0 -1"/>
    <camera name="above" pos="0 0 2" xyaxes="1 0 0 0 1 0"/>
    <geom name="red" type="box" size=".3 .3 .1" pos="0 .5 0" rgba="1 0 0 1"/>
    <geom name="green" type="box" size=".3 .3 .1" pos="0 -.5 0" rgba="0 1 0 1" group="3"/>
    <body><freejoint/><geom size=".01" pos="3 0 0"/></body>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def scene() -> Iterator[SceneRenderer]:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model, data, (40, 60))
    yield renderer
    renderer.close()


def test_the_users_own_choice_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "OSMesa")
    assert choose_gl() == "osmesa"


def test_choosing_does_not_import_mujoco() -> None:
    code = "import sys, trunkzoo.simulation.gl as r; r.prepare_mujoco(); assert 'mujoco' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_renders_can_import_the_compiler_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    code = "from trunkzoo.simulation.gl import choose_gl; choose_gl(); import torch._dynamo"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_without_any_library_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise OSError(name)

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("ctypes.CDLL", nothing)
    with pytest.raises(TaskError, match="libegl1 libgl1"):
        choose_gl()


def test_without_any_library_the_simulation_still_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr("ctypes.CDLL", nothing)
    prepare_mujoco()


def test_an_image_is_upright_and_of_the_asked_size(scene: SceneRenderer) -> None:
    image = scene.image("above")
    assert (image.shape, image.dtype) == ((40, 60, 3), np.dtype(np.uint8))
    top = image[:20].reshape(-1, 3).max(axis=0).astype(int)
    assert top[0] > top[1] + 50  # red lies at +y, which is up


def test_only_the_asked_groups_are_drawn(scene: SceneRenderer) -> None:
    image = scene.image("above").astype(int)
    assert (image[..., 1] - image[..., 0]).max() < 30  # the green box is in group 3


def test_a_renderer_can_be_closed_and_used_again(scene: SceneRenderer) -> None:
    first = scene.image("above")
    scene.close()
    assert np.array_equal(scene.image("above"), first)


def test_an_unknown_backend_is_named_in_the_error(scene: SceneRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "disable")
    with pytest.raises(TaskError, match="MUJOCO_GL=disable"):
        scene.image("above")


def test_a_process_that_rendered_ends_without_a_word() -> None:
    code = f"""
import mujoco
from trunkzoo.simulation.scene import SceneRenderer
model = mujoco.MjModel.from_xml_string('''{SCENE}''')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
SceneRenderer(model, data, (16, 16)).image("above")
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout + result.stderr == ""


class Camera:
    """Counts how often it renders; its image shows the time."""

    def __init__(self) -> None:
        self.time, self.rendered = 0, 0

    def __call__(self, camera: str) -> NDArray[np.uint8]:
        self.rendered += 1
        return np.full((2, 2, 3), self.time, np.uint8)

    def observe(self) -> Observation:
        return Observation(np.zeros(3, np.float32), ("left", "right"), self, lambda: self.time)


def test_an_image_renders_when_read_and_only_once() -> None:
    camera = Camera()
    observation = camera.observe()
    assert camera.rendered == 0
    assert observation["observation.images.left"] is observation["observation.images.left"]
    assert camera.rendered == 1


def test_an_image_of_a_past_moment_is_refused() -> None:
    camera = Camera()
    observation = camera.observe()
    camera.time = 1
    with pytest.raises(TaskError, match=r"observation\.images\.left was not read before"):
        observation["observation.images.left"]


def test_an_image_that_was_read_stays() -> None:
    camera = Camera()
    observation = camera.observe()
    before = observation["observation.images.left"]
    camera.time = 1
    assert np.array_equal(observation["observation.images.left"], before)


def test_an_unknown_key_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Camera().observe()["observation.images.middle"]
