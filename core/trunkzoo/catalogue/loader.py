"""Turn one entry point into checked records: import, hooks, types, names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, TypeVar

import pluggy

from trunkzoo.errors import PluginError, did_you_mean
from trunkzoo.plugin import hooks as hookspecs
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.records import AnySpec, HeadSpec, PolicySpec, TaskSpec, TrunkSpec

SpecT = TypeVar("SpecT", bound=AnySpec)
MAX_RECORDS = 10_000  # of one hook: an endless generator is a fault to report, not a reason to hang


@dataclass(frozen=True)
class Records:
    """The records of one plugin, by their short names."""

    trunks: dict[str, TrunkSpec[Any]] = field(default_factory=dict)
    heads: dict[str, HeadSpec[Any]] = field(default_factory=dict)
    tasks: dict[str, TaskSpec[Any]] = field(default_factory=dict)
    policies: dict[str, PolicySpec[Any]] = field(default_factory=dict)


def load_records(entry_point: metadata.EntryPoint) -> Records:
    """Import the plugin and call its hooks, in a plugin manager of its own.

    Raises:
        PluginError: it describes nothing, misspells a hook, or returns something that is not a valid record.
        BaseException: whatever its import or its hooks raise.
    """
    manager = pluggy.PluginManager("trunkzoo")  # one per plugin: a fault of one cannot reach another's hooks
    manager.add_hookspecs(hookspecs)
    if not entry_point.pattern.match(entry_point.value):
        raise PluginError(
            f'its entry point {entry_point.value!r} names no module; write {entry_point.name} = "package"'
        )
    plugin = entry_point.load()
    try:
        manager.register(plugin, entry_point.name)
    except pluggy.PluginValidationError as error:
        raise PluginError(" ".join(str(error).split())) from error
    _check_hooks(manager, plugin)
    records = Records(
        trunks=_collect(manager.hook.trunkzoo_trunks, TrunkSpec),
        heads=_collect(manager.hook.trunkzoo_heads, HeadSpec),
        tasks=_collect(manager.hook.trunkzoo_tasks, TaskSpec),
        policies=_collect(manager.hook.trunkzoo_policies, PolicySpec),
    )
    if not (records.trunks or records.heads or records.tasks or records.policies):
        raise PluginError("describes nothing: its hooks returned no record")
    return records


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Refuse a hook that API v1 does not know, and a plugin without any."""
    known = [name for name in dir(hookspecs) if name.startswith("trunkzoo_")]
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        optional = any(hook.optionalhook for hook in caller.get_hookimpls())
        if not caller.has_spec() and not optional:
            hint = did_you_mean(caller.name, known)
            raise PluginError(f"hook '{caller.name}' is unknown to plugin API {hookspecs.API_VERSION}.{hint}")
    if not any(caller.has_spec() for caller in callers):
        bare = [name for name in known if hasattr(plugin, name)]
        cause = f"{bare[0]} lacks the @hookimpl decorator" if bare else f"it has none of the hooks {', '.join(known)}"
        raise PluginError(f"describes nothing: {cause}")


def _collect(hook: pluggy.HookCaller, kind: type[SpecT]) -> dict[str, SpecT]:
    records: dict[str, SpecT] = {}
    for result in hook():
        for item in _items(result, hook.name, kind):
            _check_record(item, hook.name)
            if item.name in records:
                raise PluginError(f"{hook.name} describes '{item.name}' twice; every record needs its own name")
            records[item.name] = item
    return records


def _items(result: object, hook: str, kind: type[SpecT]) -> list[SpecT]:
    if not isinstance(result, Iterable):
        raise PluginError(f"{hook} returned {type(result).__name__}; it must return an iterable of {kind.__name__}")
    items: list[Any] = list(itertools.islice(result, MAX_RECORDS + 1))
    if len(items) > MAX_RECORDS:
        raise PluginError(f"{hook} yields more than {MAX_RECORDS} records; does its generator end?")
    for position, item in enumerate(items):
        if not isinstance(item, kind):
            raise PluginError(f"{hook}: item {position} is {type(item).__name__}; it must be a {kind.__name__}")
    return items


def _check_record(spec: AnySpec, hook: str) -> None:
    """Check what a frozen dataclass cannot: the types of its fields, and that defaults are settings of the config."""
    where = f"{hook}: '{spec.name}'"
    if not (isinstance(spec.summary, str) and spec.summary.strip() and spec.summary.isprintable()):
        raise PluginError(f"{where} needs a summary, one line of text")
    if not (isinstance(spec.config, type) and issubclass(spec.config, Config)):
        raise PluginError(f"{where}: config must be a subclass of trunkzoo.plugin.Config, got {spec.config!r}")
    if not callable(spec.build):
        raise PluginError(f"{where}: build must be callable, got {type(spec.build).__name__}")
    _check_tables(spec, where)
    for key in spec.defaults:
        if key not in spec.config.model_fields:
            hint = did_you_mean(str(key), spec.config.model_fields)
            raise PluginError(f"{where}: default '{key}' is no setting of {spec.config.__name__}.{hint}")


def _check_tables(spec: AnySpec, where: str) -> None:
    """Check the types of the fields that hold several values; ``("timm")`` is no tuple."""
    initial = spec.initial if isinstance(spec, TrunkSpec) else ()
    for name, value in (("defaults", spec.defaults), ("known_gaps", spec.known_gaps)):
        if not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
            raise PluginError(f"{where}: {name} must be a dict with text keys, got {value!r}")
    lists: dict[str, Any] = {"requires": spec.requires, "initial": initial}
    for name, names in lists.items():
        if isinstance(names, str) or not all(isinstance(item, str) and item for item in names):
            raise PluginError(f"{where}: {name} must be a tuple of names, such as ('timm',), got {names!r}")
    for key in initial:
        if key not in spec.config.model_fields:
            raise PluginError(f"{where}: initial names '{key}', which is no setting of {spec.config.__name__}")
    if isinstance(spec, TaskSpec):
        _check_task(spec, where)
    if isinstance(spec, PolicySpec):
        _check_policy(spec, where)


def _check_task(spec: TaskSpec[Any], where: str) -> None:
    if not callable(spec.contract):
        raise PluginError(f"{where}: contract must be callable, got {type(spec.contract).__name__}")
    for name, value in (("fps", spec.fps), ("max_steps", spec.max_steps), ("demo_steps", spec.demo_steps)):
        if not (isinstance(value, int) and value > 0):
            raise PluginError(f"{where}: {name} must be a positive integer, got {value!r}")
    limits = spec.reward_range
    if not (isinstance(limits, tuple) and len(limits) == 2 and all(isinstance(limit, int | float) for limit in limits)):
        raise PluginError(f"{where}: reward_range must be (smallest, largest), got {limits!r}")
    if not isinstance(spec.success_rule, str) or not isinstance(spec.expert_success, int | float):
        raise PluginError(f"{where}: success_rule must be a text and expert_success a share, such as 0.95")


def _check_policy(spec: PolicySpec[Any], where: str) -> None:
    for name, value in (("provenance", spec.provenance), ("misfits", spec.misfits), ("local", spec.local)):
        if not callable(value):
            raise PluginError(f"{where}: {name} must be callable, got {type(value).__name__}")
    if spec.argument and spec.argument not in spec.config.model_fields:
        raise PluginError(f"{where}: argument names '{spec.argument}', which is no setting of {spec.config.__name__}")
    if not (isinstance(spec.checked_on, str) and spec.checked_on):
        raise PluginError(f"{where}: checked_on must name a task, got {spec.checked_on!r}")
