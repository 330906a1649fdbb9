"""``zoo show``: everything about one trunk, head, task, recipe or suite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.options import JsonOption, TrunkOption
from trunkzoo_cli.output import emit_json, emit_table

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue, Kind
    from trunkzoo.plugin.records import AnySpec
    from trunkzoo.registry import Registry


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A trunk, head, task, recipe or suite.")],
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

    Examples: zoo show resnet-18 --set output_stride=16 · zoo show imf-attnres --resolved --trunk resnet-50
    """
    from trunkzoo.errors import UsageError
    from trunkzoo.registry import load_registry, parse_assignments
    from trunkzoo.registry.zoo import load_catalogue

    catalogue, registry, settings = load_catalogue(), load_registry(), parse_assignments(set_ or [])
    if name in registry.recipe_names():
        _show_recipe(registry, catalogue, name, settings, trunk, resolved=resolved, json=json)
        return
    if resolved or trunk:
        raise UsageError(
            f"--resolved and --trunk are for recipes; '{name}' is none. `zoo list --kind recipe` shows them"
        )
    if name in [entry.name for entry in registry.entries("suites")]:
        _show_suite(registry, name, json)
        return
    kind, id, spec = _record(catalogue, registry, name)
    facts = _facts(catalogue, registry, kind, id, spec, settings)
    if json:
        emit_json(facts)
    else:
        _print_record(facts)


def _show_recipe(
    registry: Registry,
    catalogue: Catalogue,
    name: str,
    settings: dict[str, Any],
    trunk: str | None,
    *,
    resolved: bool,
    json: bool,
) -> None:
    found = registry.resolved(name, settings, trunk, catalogue)
    rows = [row for row in found.rows() if resolved or row[2] != "default"]
    if json:
        emit_json([{"key": key, "value": value, "origin": origin} for key, value, origin in rows])
        return
    emit_table(("setting", "value", "from"), rows, title=f"recipe {name}: {found.recipe.summary}")
    print(found.recipe.contract.sum_line())


def _show_suite(registry: Registry, name: str, json: bool) -> None:
    tree = registry.tree("suites", name)
    rows = [(".".join(path), value, tree.origins[path]) for path, value in tree.leaves()]
    if json:
        emit_json(tree.values)
    else:
        emit_table(("setting", "value", "from"), rows, title=f"suite {name}")


def _record(catalogue: Catalogue, registry: Registry, name: str) -> tuple[Kind, str, AnySpec]:
    from trunkzoo.errors import UsageError, did_you_mean
    from trunkzoo.testing.report import chosen_records

    try:
        records = chosen_records(catalogue, name)
    except UsageError as error:
        others = [entry.name for section in ("recipes", "suites") for entry in registry.entries(section)]
        hint = did_you_mean(name, others)
        raise UsageError(f"{error}.{hint} (a recipe or suite)" if hint else str(error)) from None
    if len(records) > 1:
        raise UsageError(f"'{name}' is a plugin with {len(records)} records: {', '.join(id for _, id, _ in records)}")
    return records[0]


def _facts(
    catalogue: Catalogue, registry: Registry, kind: Kind, id: str, spec: AnySpec, settings: dict[str, Any]
) -> dict[str, Any]:
    from trunkzoo.catalogue.guard import foreign
    from trunkzoo.plugin.settings import settings_of
    from trunkzoo.registry.assignments import laid_over

    plugin = catalogue.plugin_of(id)
    with foreign(f"describing the settings of '{id}'"):
        settings_rows = [vars(setting) for setting in settings_of(spec.config, laid_over(spec.defaults, settings))]
    facts: dict[str, Any] = {
        "kind": kind,
        "name": id,
        "summary": spec.summary,
        "plugin": f"{plugin.name} ({plugin.distribution} {plugin.version}, API {plugin.api})",
        "settings": settings_rows,
    }
    if kind == "trunk":
        facts["counted"] = _counted(catalogue, id, settings)
        known = registry.trunks.get(id)
        facts["registry"] = known.model_dump(exclude_defaults=True) if known else {}
    if kind == "task":
        facts |= _task_facts(catalogue, id, settings)
    return facts


def _counted(catalogue: Catalogue, id: str, settings: dict[str, Any]) -> dict[str, Any]:
    from trunkzoo.agent.numbers import count_trunk
    from trunkzoo.plugin.records import install_line
    from trunkzoo.testing.check import subject_of

    spec = catalogue.trunks[id]
    install = install_line(spec)
    if install:
        return {"needs": install}
    return count_trunk(spec, subject_of(id, spec, settings).config).to_dict()


def _task_facts(catalogue: Catalogue, id: str, settings: dict[str, Any]) -> dict[str, Any]:
    from trunkzoo.catalogue.tasks import contract_of
    from trunkzoo.testing.check import subject_of

    spec = catalogue.tasks[id]
    keys = ("fps", "max_steps", "demo_steps", "success_rule", "reward_range", "expert_success", "requires")
    facts = {key: getattr(spec, key) for key in keys}
    facts["reward_range"] = [limit if math.isfinite(limit) else None for limit in spec.reward_range]
    return {
        "contract": contract_of(spec, subject_of(id, spec, settings).config).model_dump(mode="json"),
        "task": facts,
    }


def _print_record(facts: dict[str, Any]) -> None:
    print(f"{facts['kind']} {facts['name']}: {facts['summary']}\nplugin {facts['plugin']}")
    for section in ("counted", "registry", "contract", "task"):
        if facts.get(section):
            print()
            emit_table((section, ""), [(key, _text(value)) for key, value in facts[section].items()])
    if facts["settings"]:
        print()
        columns = ("setting", "type", "default", "meaning")
        emit_table(columns, [(s["key"], s["type"], _text(s["default"]), s["description"]) for s in facts["settings"]])


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, tuple | list):
        return " × ".join(str(part) for part in value) if all(isinstance(p, int) for p in value) else str(list(value))
    return "none" if value is None else str(value)
