"""Which GL library renders MuJoCo's images off screen on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
from importlib.util import find_spec
from pathlib import Path

from trunkzoo.plugin import TaskError

INSTALL_LINE = "apt-get install -y --no-install-recommends libegl1 libgl1 (or, for software rendering only, libosmesa6)"
_EGL_PLATFORM_DEVICE = 0x313F
_MAX_DEVICES = 32


def choose_gl() -> str:
    """Return the off-screen GL backend of MuJoCo that works here: the user's own ``MUJOCO_GL``, ``egl`` or ``osmesa``.

    Decided by loading the libraries (milliseconds), without importing mujoco.

    Raises:
        TaskError: neither can be used; the message has the line that installs one.
    """
    _load_triton()
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


def _load_triton() -> None:
    """Load the library of triton, where it is installed, as it is beside torch for CUDA: before Mesa, and without importing it.

    LLVM is in both, and Mesa shows its own to all that is loaded later: torch would import triton and crash.
    """
    found = find_spec("triton")
    if found is not None and found.origin is not None:
        with contextlib.suppress(OSError):  # another layout, another platform
            ctypes.CDLL(str(Path(found.origin).parent / "_C" / "libtriton.so"))


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
