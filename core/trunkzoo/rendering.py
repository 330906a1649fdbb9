"""Off-screen MuJoCo rendering on any machine: which GL to use, cheap images, and observations that render when read."""

from __future__ import annotations

import atexit
import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.contract import IMAGE_KEY, STATE_KEY
from trunkzoo.errors import TaskError

Image = NDArray[np.uint8]

INSTALL_LINE = "apt-get install -y --no-install-recommends libegl1 libgl1 (or, for software rendering only, libosmesa6)"
_EGL_PLATFORM_DEVICE = 0x313F
_MAX_DEVICES = 32


def choose_gl() -> str:
    """Return the off-screen GL backend of MuJoCo that works here: the user's own ``MUJOCO_GL``, ``egl`` or ``osmesa``.

    Decided by loading the libraries (milliseconds), without importing mujoco.

    Raises:
        TaskError: neither can be used; the message has the line that installs one.
    """
    own = os.environ.get("MUJOCO_GL", "").strip().lower()
    if own:
        return own
    if _egl_works():
        return "egl"
    if _osmesa_works():
        return "osmesa"
    raise TaskError(f"camera images need EGL or OSMesa, and neither loads here.\nInstall one: {INSTALL_LINE}")


def prepare_mujoco() -> None:
    """Set the process up for ``import mujoco``: call it before the first import of a simulator.

    A machine that cannot render still simulates: the complaint waits until an image is read.
    """
    os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's extra threads cost more than they give at small images
    try:
        os.environ["MUJOCO_GL"] = choose_gl()
    except TaskError:
        os.environ["MUJOCO_GL"] = "disable"


def _load(*names: str) -> ctypes.CDLL | None:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _osmesa_works() -> bool:
    return _load("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so") is not None


def _egl_works() -> bool:
    """Whether some EGL device initialises, which is what MuJoCo will ask for; libGL must load beside it."""
    egl = _load("libEGL.so.1", "libEGL.so")
    if egl is None or _load("libGL.so.1", "libOpenGL.so.0") is None:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    query, display_of = (egl.eglGetProcAddress(name) for name in (b"eglQueryDevicesEXT", b"eglGetPlatformDisplayEXT"))
    if not query or not display_of:
        return False
    return any(_initialises(egl, display_of, device) for device in _egl_devices(query))


def _egl_devices(query: int) -> list[int]:
    prototype = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )
    devices, count = (ctypes.c_void_p * _MAX_DEVICES)(), ctypes.c_int()
    if not prototype(query)(_MAX_DEVICES, devices, ctypes.byref(count)):
        return []
    return [device for device in devices[: count.value] if device]


def _initialises(egl: ctypes.CDLL, display_of: int, device: int) -> bool:
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_of)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    display = get_display(_EGL_PLATFORM_DEVICE, device, None)
    return bool(display) and bool(egl.eglInitialize(display, None, None))


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
