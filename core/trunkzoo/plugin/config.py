"""The base of every configuration model, and how its mistakes become readable errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from trunkzoo.errors import ConfigError, did_you_mean, one_line

ConfigT = TypeVar("ConfigT", bound="Config")
Locate = Callable[..., str]
"""Says where the value at a path was written (``"registry.toml:12: "``), of several the last; or nothing."""


def nowhere(*_: tuple[str, ...]) -> str:
    """The :data:`Locate` of values that were written in no file."""
    return ""


class Config(BaseModel):
    """A frozen pydantic model that refuses unknown keys; importable without torch."""

    # validators are built on first use: listing a hundred records needs none of them
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, defer_build=True)


def parse(model: type[ConfigT], values: Mapping[str, Any], where: str, locate: Locate = nowhere) -> ConfigT:
    """Validate ``values`` as ``model``; what ``locate`` says of a value leads the line about it.

    Raises:
        ConfigError: one line per problem (at most three), each with the key's full path below ``where``.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_problems(error, model, where, locate))) from None
    except Exception as error:
        raise ConfigError(
            f"{where or 'settings'}: {model.__name__} cannot judge these settings: {one_line(error)}"
        ) from error


def _problems(error: ValidationError, model: type[BaseModel], where: str, locate: Locate) -> list[str]:
    found = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    wrong = {problem["loc"][:-1] for problem in found}  # a list is not too short beside an item of it that is refused
    found = [problem for problem in found if problem["type"] != "too_short" or problem["loc"] not in wrong]
    lines = [_place(dict(problem), model, locate) + _sentence(dict(problem), model, where) for problem in found[:3]]
    if len(found) > 3:
        more = f"{len(found) - 3} more {'problems' if len(found) > 4 else 'problem'}"
        lines.append(f"… and {more}{f' in {where}' if where else ''}")
    return lines


def _place(problem: dict[str, Any], model: type[BaseModel], locate: Locate) -> str:
    """Where the mistake was written: for a rule about several fields, the last one that its message names."""
    path = tuple(str(part) for part in problem["loc"])
    told = str(problem["msg"]) if problem["type"] == "value_error" else ""
    named = [(*path, name) for name in _fields_at(model, path) if re.search(rf"\b{name}\b", told)]
    return locate(*(named or [path]))


def _sentence(problem: dict[str, Any], model: type[BaseModel], where: str) -> str:
    path = ".".join(str(part) for part in (where, *problem["loc"]) if part != "")
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, problem["loc"][:-1])
        name = str(problem["loc"][-1])
        hint = did_you_mean(name, known) or _one_below(model, problem["loc"], name)
        return f"{path}: unknown key.{hint} Known keys: {', '.join(sorted(known)) or 'none'}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{path}: required, but not given"
    if problem["type"] == "value_error":
        return f"{path}: {message}" if path else message
    return f"{path} = {problem['input']!r}: {_expected(problem) or message[0].lower() + message[1:]}"


def _one_below(model: type[BaseModel], path: tuple[Any, ...], name: str) -> str:
    """``" Did you mean 'train.steps'?"`` for ``steps`` written at the top, where one table below has it."""
    if len(path) > 1:
        return ""
    below = [f"{field}.{name}" for field in model.model_fields if name in _fields_at(model, (field,))]
    return f" Did you mean '{below[0]}'?" if len(below) == 1 else ""


def _expected(problem: dict[str, Any]) -> str:
    """What is wanted, with its spelling, for mistakes of kind that pydantic tells in words of its own."""
    given, kind = problem["input"], str(problem["type"])
    if kind in ("tuple_type", "list_type", "set_type"):
        items = [part.strip() for part in str(given).strip("[]()").split(",")]
        plain = all(item.lstrip("-").isdecimal() for item in items)
        listed = ", ".join(items if plain else [json.dumps(item.strip("'\"")) for item in items])
        return f"must be a list; write [{listed}]"
    if kind in ("model_type", "model_attributes_type", "dict_type", "dataclass_type"):
        named = f"; write {{ name = {json.dumps(given)} }}" if isinstance(given, str) else ""
        return f"must be a table{named}"
    if kind == "literal_error":
        return f"must be {problem['ctx']['expected']}"
    return {"string_type": f'must be text; write "{given}"', "bool_type": "must be true or false"}.get(kind, "")


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Field names of the (nested) model that ``path`` leads to."""
    for part in path:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
