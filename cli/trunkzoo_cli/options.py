"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_trunk

if TYPE_CHECKING:
    from trunkzoo.registry import Zoo
    from trunkzoo.registry.resolved import ResolvedRecipe

TrunkOption = Annotated[
    str | None,
    typer.Option(
        "--trunk", metavar="TRUNK", help="Use this trunk, with its plugin's defaults.", autocompletion=complete_trunk
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one setting, e.g. train.steps=100; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def recipe_of(name: str, trunk: str | None, assignments: list[str] | None, zoo: Zoo) -> ResolvedRecipe:
    """The recipe ``name`` of registry.toml with ``--trunk`` and ``--set`` applied."""
    from trunkzoo.registry import parse_assignments

    return zoo.recipe(name, parse_assignments(assignments or []), trunk)
