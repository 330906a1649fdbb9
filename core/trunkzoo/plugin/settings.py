"""The settings of a configuration model as rows: what ``zoo show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Setting:
    """One setting, by its dotted key."""

    key: str
    type: str
    default: Any
    description: str


def settings_of(model: type[BaseModel], defaults: Mapping[str, Any], above: str = "") -> Iterator[Setting]:
    """Every setting of ``model``, nested ones included; ``defaults`` of the record win over the model's own."""
    for name, field in model.model_fields.items():
        key = f"{above}{name}"
        default = defaults.get(name, None if field.is_required() else field.get_default(call_default_factory=True))
        inner = _nested(field.annotation)
        if inner is not None and (default is None or isinstance(default, BaseModel | Mapping)):
            values = default.model_dump() if isinstance(default, BaseModel) else (default or {})
            yield from settings_of(inner, values, f"{key}.")
        else:
            yield Setting(key, _type_name(field), "required" if _must(field, name, defaults) else default, _text(field))


def _must(field: FieldInfo, name: str, defaults: Mapping[str, Any]) -> bool:
    return field.is_required() and name not in defaults


def _nested(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _text(field: FieldInfo) -> str:
    return field.description or ""


def _type_name(field: FieldInfo) -> str:
    """The type as people write it, with the bounds: ``int > 0``, ``batch | group``."""
    bounds = " ".join(filter(None, (_bound(rule) for rule in field.metadata)))
    return f"{_name(field.annotation)} {bounds}".strip()


def _name(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(str(value) for value in inner)
    if origin in (Union, UnionType):
        return " | ".join(_name(part) for part in inner)
    if origin is Annotated:
        return " ".join(filter(None, (_name(inner[0]), *(_bound(rule) for rule in inner[1:]))))
    if origin is not None and inner:
        return f"{_name(origin)}[{', '.join('…' if part is ... else _name(part) for part in inner)}]"
    return "none" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


def _bound(rule: Any) -> str:
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    return " ".join(f"{sign} {value}" for name, sign in signs if (value := getattr(rule, name, None)) is not None)
