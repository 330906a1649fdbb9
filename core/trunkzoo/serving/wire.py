"""Messages with arrays as MessagePack, in the form that openpi's servers and clients speak.

An array is a map of the byte keys ``__ndarray__`` (true), ``data`` (C order), ``dtype`` (numpy's ``str``) and ``shape``; a numpy
scalar one of ``__npgeneric__``, ``data`` and ``dtype``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from trunkzoo.errors import DataError

KINDS = "biuf"  # of numbers that may travel: truth values, integers, floats
AXES = 32  # of an array; more are no image
_DTYPE = re.compile(rf"[<>|=]?[{KINDS}][0-9]{{1,2}}")


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message of texts, numbers, lists, maps and numpy arrays."""
    packed: bytes = msgpack.packb(message, default=_encoded)
    return packed


def unpack(data: bytes) -> dict[str, Any]:
    """The message in ``data``; its arrays are read-only.

    Raises:
        DataError: it is no message, or an array in it is not what it says.
    """
    try:
        message = msgpack.unpackb(data, object_hook=_decoded)
    except DataError:
        raise
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException, RecursionError) as error:
        raise DataError(
            f"the message is no MessagePack ({type(error).__name__}); send a map of keys to arrays"
        ) from None
    if not isinstance(message, dict):
        raise DataError(f"the message is {type(message).__name__}, not a map of keys to arrays")
    return message


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    if isinstance(value, np.generic) and value.dtype.kind in KINDS:
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"{type(value).__name__} cannot be sent; send numbers, texts, lists, maps and arrays of numbers")


def _decoded(found: dict[Any, Any]) -> Any:
    if b"__ndarray__" in found:
        return _array(found)
    if b"__npgeneric__" in found:
        return _type(found).type(found[b"data"])
    return found


def _array(found: Mapping[Any, Any]) -> np.ndarray[Any, Any]:
    dtype, shape, data = _type(found), tuple(found.get(b"shape", ())), found.get(b"data", b"")
    if len(shape) > AXES:
        raise DataError(f"an array of the message has {len(shape)} axes; send at most {AXES}")
    if not all(isinstance(side, int) and side >= 0 for side in shape) or not isinstance(data, bytes):
        raise DataError(
            f"an array of the message has shape {shape}; it must be a list of integers ≥ 0, with bytes as data"
        )
    if math.prod(shape) * dtype.itemsize != len(data):
        raise DataError(
            f"an array of the message has {len(data)} bytes, but {dtype} of shape {shape} has another number"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def _type(found: Mapping[Any, Any]) -> np.dtype[Any]:
    name = found.get(b"dtype", "")
    name = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
    try:
        if _DTYPE.fullmatch(name):  # numpy reads whole structures from such a text
            return np.dtype(name)
    except TypeError:  # there is no number of so many bytes
        pass
    raise DataError(f"an array of the message has type {name[:40]!r}; send numbers")
