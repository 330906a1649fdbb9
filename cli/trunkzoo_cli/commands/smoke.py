"""``zoo smoke``: build a recipe and try training step, sampling, saving and action queue once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_recipe
from trunkzoo_cli.options import JsonOption, SetOption, TrunkOption, recipe_of
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from trunkzoo.testing.smoke import SmokeResult


def smoke(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE...", help="Recipes of registry.toml.", autocompletion=complete_recipe),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every recipe of the registry.")] = False,
    expect_cond_dim: Annotated[
        int | None, typer.Option("--expect-cond-dim", metavar="N", help="Fail unless the condition is N wide.")
    ] = None,
    trunk: TrunkOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Build each recipe and check contract, training step, sampling, save and load, and the action queue.

    Needs no data and takes seconds. Exit code 1 if a check fails.

    Example: zoo smoke imf-resnet18 imf-attnres --expect-cond-dim 208
    """
    from trunkzoo.errors import UsageError
    from trunkzoo.registry import open_zoo

    if bool(recipes) == all_:
        raise UsageError("name one or more recipes, or --all; `zoo list --kind recipe` shows them")
    zoo = open_zoo()
    names = zoo.registry.recipe_names() if all_ else recipes or []
    chosen = [recipe_of(name, trunk, set_, zoo) for name in names]
    from trunkzoo.testing.smoke import smoke as checks_of

    checks: list[SmokeResult] = []
    for recipe in chosen:
        note(f"smoke test of {recipe.recipe.name}")
        checks.extend(checks_of(recipe, zoo.catalogue, expect_cond_dim, "--expect-cond-dim"))
    _report(checks, json)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _report(checks: list[SmokeResult], json: bool) -> None:
    if json:
        emit_json([check.to_dict() for check in checks])
        return
    rows = [(c.recipe, c.name, "ok" if c.ok else "FAILED", f"{c.seconds:.2f} s", c.detail) for c in checks]
    emit_table(("recipe", "check", "result", "time", "detail"), rows)
