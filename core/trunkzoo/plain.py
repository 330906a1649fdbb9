"""Text that becomes plain values: JSON and numbers that anybody may have written, within limits that hold downstream.

Parsers accept what breaks their callers later: tables nested so deep that walking them ends the interpreter, integers
that no array holds, infinite numbers, halves of surrogate pairs that no file takes.
"""

from __future__ import annotations

import json
import math
from typing import Any

DEEPEST = 64
"""Tables and lists inside each other."""
LARGEST = 2**63 - 1
"""What an integer may be, above and below zero: arrays, files and torch hold 64 bits."""
_DIGITS = 20  # of 64 bits, with the sign


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or a value is beyond the limits of :func:`check_plain`.
    """
    try:
        value = _DECODER.decode(text if isinstance(text, str) else text.decode(json.detect_encoding(text)))
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} deep") from None
    return check_plain(value)


def parse_table(text: str | bytes) -> dict[str, Any]:
    """The JSON object of a text; raises ValueError as :func:`parse_json` does, and for any other value."""
    value = parse_json(text)
    if isinstance(value, dict):
        return value
    raise ValueError(f"a {type(value).__name__}, not a table")


def check_plain(value: Any, *, finite: bool = True) -> Any:
    """The same value, of tables, lists, texts and numbers, once it is within the limits.

    Raises:
        ValueError: it is nested too deep, or holds an integer beyond 64 bits, a text that is no Unicode, or, unless
            ``finite`` is False, a float that is not finite.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        if not level:
            return value
        level = _inside(level, finite)
    raise ValueError(f"nested more than {DEEPEST} deep")


def _inside(level: list[Any], finite: bool) -> list[Any]:
    """What tables and lists of one level hold, once its other values are within the limits; a loop, since rows are many."""
    inner: list[Any] = []
    for item in level:
        kind = type(item)
        if kind is str:
            if not item.isascii():
                item.encode()  # UnicodeEncodeError, a ValueError, for half a surrogate pair
        elif kind is float:
            if finite and not math.isfinite(item):
                raise ValueError("a number that is not finite")
        elif kind is int:
            if abs(item) > LARGEST:
                raise ValueError(f"an integer of {len(bin(item)) - 2} bits; 64 are read")
        elif kind is dict:
            inner += item
            inner += item.values()
        elif kind is list:
            inner += item
    return inner


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits; {_DIGITS} are read")
    return int(digits)


def _not_finite(name: str) -> float:
    raise ValueError(f"a number that is {name}")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_not_finite)
