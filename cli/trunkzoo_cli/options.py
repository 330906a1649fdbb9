"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trunkzoo.registry import Zoo
    from trunkzoo.registry.resolved import ResolvedRecipe

# Numbers that libraries take without a word of their own: seeds of 64 bits with room for those that follow, memory and
# processes that some machine might have.
MAX_SEED = 2**62
MAX_PROCESSES = 4096
MAX_COUNT = 2**40

TrunkOption = Annotated[
    str | None, typer.Option("--trunk", metavar="TRUNK", help="Use this trunk, with its plugin's defaults.")
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
