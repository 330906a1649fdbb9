"""``zoo show``: everything about one trunk, head, task, recipe or suite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_any
from trunkzoo_cli.options import JsonOption, TrunkOption, assigned, recipe_with
from trunkzoo_cli.output import emit_json, emit_table, say

if TYPE_CHECKING:
    from trunkzoo.catalogue.part import Configured
    from trunkzoo.registry import Registry, Zoo


def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A trunk, head, task, recipe or suite.", autocompletion=complete_any)
    ],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Of a recipe: every value, defaults too, and where it came from.")
    ] = False,
    trunk: TrunkOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Show it with this setting; may be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show one record: its settings with types and defaults, and what can be counted without weights.

    A recipe shows the values it sets and where each was written; `--resolved` adds all defaults.

    Weights that are named on the hub are shown with what came with them: licence, mean and deviation, patch size.

    Examples: zoo show resnet-18 --set output_stride=16 · zoo show imf-attnres --resolved --trunk resnet-50
              zoo show resnet-18 --set weights=hf:timm/resnet18.tv_in1k
    """
    from trunkzoo.errors import UsageError
    from trunkzoo.registry import open_zoo

    zoo, settings = open_zoo(), assigned(set_)
    registry = zoo.registry
    if name in registry.recipe_names():
        _show_recipe(zoo, name, settings, trunk, resolved=resolved, json=json)
        return
    if resolved or trunk:
        raise UsageError(
            f"--resolved and --trunk are for recipes; '{name}' is none. `zoo list --kind recipe` shows them"
        )
    if name in [entry.name for entry in registry.entries("suites")]:
        _show_suite(registry, name, json)
        return
    facts = _facts(zoo, *_record(zoo, name, settings))
    if json:
        emit_json(facts)
    else:
        _print_record(facts)


def _show_recipe(
    zoo: Zoo, name: str, settings: dict[str, Any], trunk: str | None, *, resolved: bool, json: bool
) -> None:
    from trunkzoo.registry.written import rows_of

    found = recipe_with(name, trunk, settings, zoo)
    rows = [row for row in rows_of(found) if resolved or row[2] != "default"]
    if json:
        emit_json([{"key": key, "value": value, "origin": origin} for key, value, origin in rows])
        return
    emit_table(("setting", "value", "from"), rows, title=f"recipe {name}: {found.recipe.summary}")
    say(found.recipe.contract.sum_line())


def _show_suite(registry: Registry, name: str, json: bool) -> None:
    tree = registry.tree("suites", name)
    rows = [(".".join(path), value, tree.origins[path]) for path, value in tree.leaves()]
    if json:
        emit_json(tree.values)
    else:
        emit_table(("setting", "value", "from"), rows, title=f"suite {name}")


def _record(zoo: Zoo, name: str, settings: dict[str, Any]) -> tuple[Configured[Any], dict[str, Any]]:
    """The one record of a name, and the values of its settings: its defaults with ``settings`` over them."""
    from trunkzoo.catalogue.catalogue import ambiguous
    from trunkzoo.catalogue.part import Part
    from trunkzoo.errors import UsageError, did_you_mean
    from trunkzoo.registry.assignments import overlay

    try:
        records = zoo.catalogue.chosen(name)
    except UsageError as error:
        others = [entry.name for section in ("recipes", "suites") for entry in zoo.registry.entries(section)]
        hint = did_you_mean(name, others)
        plain = str(error)
        raise UsageError(f"{plain}.{hint} (a recipe or suite)" if hint and hint not in plain else plain) from None
    if len(records) > 1:  # of the plugin of that name; a record of another one may have it too
        raise UsageError(ambiguous(name, [*records, *zoo.catalogue.called(name)]))
    kind, id, spec = records[0]
    values = overlay(spec.defaults, settings)
    return zoo.catalogue.configure(kind, Part(name=id, config=values)), values


def _facts(zoo: Zoo, record: Configured[Any], values: dict[str, Any]) -> dict[str, Any]:
    from trunkzoo.catalogue.guard import plugin_code
    from trunkzoo.plugin.settings import settings_of

    plugin, spec = record.plugin, record.spec
    with plugin_code(f"describing the settings of '{record.id}'"):
        settings_rows = [vars(setting) for setting in settings_of(spec.config, values)]
    facts: dict[str, Any] = {
        "kind": record.kind,
        "name": record.id,
        "summary": spec.summary,
        "plugin": f"{plugin.name} ({plugin.distribution} {plugin.version}, API {plugin.api})",
        "settings": settings_rows,
    }
    if record.kind == "trunk":
        facts["counted"] = _counted(record)
        facts["weights"] = weights_of(record)
        known = zoo.registry.trunks.get(record.id)
        facts["registry"] = known.model_dump(exclude_defaults=True) if known else {}
    if record.kind == "task":
        facts |= _task_facts(record)
    return facts


def _counted(record: Configured[Any]) -> dict[str, Any]:
    from trunkzoo.agent.numbers import count_trunk
    from trunkzoo.plugin.records import install_line

    install = install_line(record.spec)
    return {"needs": install} if install else count_trunk(record).to_dict()


def weights_of(record: Configured[Any]) -> dict[str, Any]:
    """What came with the weights that a trunk starts from, where they are named on the hub."""
    from trunkzoo.hub.names import is_hub_name
    from trunkzoo.hub.weights import about

    named = [value for name in record.spec.initial if is_hub_name(str(value := getattr(record.config, name)))]
    return about(str(named[0])) if named else {}


def _task_facts(record: Configured[Any]) -> dict[str, Any]:
    from trunkzoo.catalogue.tasks import contract_of

    keys = ("fps", "max_steps", "demo_steps", "success_rule", "reward_range", "expert_success", "requires")
    facts = {key: getattr(record.spec, key) for key in keys}
    facts["reward_range"] = [limit if math.isfinite(limit) else None for limit in record.spec.reward_range]
    return {"contract": contract_of(record).model_dump(mode="json"), "task": facts}


def _print_record(facts: dict[str, Any]) -> None:
    say(f"{facts['kind']} {facts['name']}: {facts['summary']}\nplugin {facts['plugin']}")
    for section in ("counted", "weights", "registry", "contract", "task"):
        if facts.get(section):
            say()
            emit_table((section, ""), [(key, _text(value)) for key, value in facts[section].items()])
    if facts["settings"]:
        say()
        columns = ("setting", "type", "default", "meaning")
        emit_table(columns, [(s["key"], s["type"], _value(s["default"]), s["description"]) for s in facts["settings"]])


def _value(value: Any) -> str:
    """A setting as ``--set`` takes it: a sequence in brackets."""
    return str(list(value)) if isinstance(value, tuple | list) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, tuple | list):
        return " × ".join(str(part) for part in value) if all(isinstance(p, int) for p in value) else str(list(value))
    return "none" if value is None else str(value)
