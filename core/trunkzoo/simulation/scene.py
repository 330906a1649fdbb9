"""Off-screen MuJoCo rendering on any machine: which GL to use, cheap images, and observations that render when read."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin import TaskError
from trunkzoo.plugin.contract import IMAGE_KEY, STATE_KEY
from trunkzoo.simulation.gl import INSTALL_LINE, choose_gl

Image = NDArray[np.uint8]


class SceneRenderer:
    """Camera images of one MuJoCo scene without shadows, reflections and multisampling, which cost ten times the rest.

    The GL context is made by the first image. Images are (H, W, 3) uint8, top row first.
    """

    def __init__(
        self, model: Any, data: Any, size: tuple[int, int], *, groups: tuple[int, ...] = (0, 1, 2), sites: bool = True
    ) -> None:
        """``size`` = (height, width) in pixels; only the geometries of ``groups`` are drawn, and sites if asked."""
        self._model, self._data, self._size = model, data, size
        self._groups, self._sites = groups, sites
        self._gl: Any = None

    def image(self, camera: str) -> Image:
        """Render ``camera`` now."""
        import mujoco

        if self._gl is None:
            self._open()
        self._gl.make_current()
        height, width = self._size
        view, image = mujoco.MjrRect(0, 0, width, height), np.empty((height, width, 3), np.uint8)
        self._camera.fixedcamid = self._model.camera(camera).id
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._camera, everything, self._scene)
        mujoco.mjr_render(view, self._scene, self._context)
        mujoco.mjr_readPixels(image, None, view, self._context)
        # OpenGL counts rows from below
        return np.ascontiguousarray(image[::-1])

    def close(self) -> None:
        """Free the GL context; a later image makes a new one."""
        if self._gl is not None:
            atexit.unregister(self.close)
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._gl = None

    def _open(self) -> None:
        import mujoco

        height, width = self._size
        visual = self._model.vis
        visual.quality.offsamples, visual.global_.offheight, visual.global_.offwidth = 0, height, width
        self._gl = _gl_context(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        atexit.register(self.close)  # runs before EGL's own exit handler, which complains about open contexts
        self._camera, self._option = mujoco.MjvCamera(), mujoco.MjvOption()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._option.geomgroup[:] = [group in self._groups for group in range(mujoco.mjNGROUP)]
        self._option.sitegroup[:] = self._sites
        self._scene = mujoco.MjvScene(self._model, maxgeom=self._model.ngeom + self._model.nsite + 100)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = False


def _gl_context(width: int, height: int) -> Any:
    """A GL context of the chosen backend, whatever backend mujoco chose when it was imported."""
    backend = choose_gl()
    try:
        return import_module(f"mujoco.{backend}").GLContext(width, height)
    except Exception as error:  # each GL library fails in its own way
        raise TaskError(
            f"cannot render camera images with MUJOCO_GL={backend} ({type(error).__name__}: {error}).\n"
            f"Unset MUJOCO_GL to have one chosen, or install EGL: {INSTALL_LINE}"
        ) from error


class Observation(Mapping[str, NDArray[Any]]):
    """One observation of a task whose images render when they are first read.

    An image can be read until the simulation takes its next step; later the scene has changed, and reading it would
    silently show another moment, so that is an error.
    """

    def __init__(
        self,
        state: NDArray[np.float32],
        cameras: tuple[str, ...],
        render: Callable[[str], Image],
        clock: Callable[[], int],
    ) -> None:
        """``clock`` returns a number that changes whenever the scene does."""
        self._values: dict[str, NDArray[Any]] = {STATE_KEY: state}
        self._cameras, self._render = cameras, render
        self._clock, self._moment = clock, clock()

    def __getitem__(self, key: str) -> NDArray[Any]:
        if key not in self._values:
            if key not in list(self):
                raise KeyError(key)
            if self._clock() != self._moment:
                raise TaskError(
                    f"{key} was not read before the scene moved on; read an observation's images before the next step"
                )
            self._values[key] = self._render(key.removeprefix(IMAGE_KEY))
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        yield from (IMAGE_KEY + camera for camera in self._cameras)
        yield STATE_KEY

    def __len__(self) -> int:
        return len(self._cameras) + 1
