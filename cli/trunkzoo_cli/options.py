"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_trunk

if TYPE_CHECKING:
    from trunkzoo.registry import Zoo
    from trunkzoo.registry.resolved import ResolvedRecipe

# Numbers that libraries take without a word of their own: seeds of 64 bits with room for those that follow, memory and
# processes that some machine might have.
MAX_SEED = 2**62
MAX_PROCESSES = 4096
MAX_COUNT = 2**40
MAX_EPISODES = 1_000_000  # as many fresh report seeds as there are

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
    return recipe_with(name, trunk, assigned(assignments), zoo)


def recipe_with(name: str, trunk: str | None, settings: dict[str, Any], zoo: Zoo) -> ResolvedRecipe:
    """The recipe ``name`` with another trunk and settings over it; what is wrong with them is called by its option."""
    from trunkzoo.registry.layers import Labels

    return zoo.recipe(name, settings, trunk, Labels("--set", "--trunk"))


def assigned(assignments: list[str] | None) -> dict[str, Any]:
    """The values of ``--set KEY=VALUE``, by dotted key."""
    from trunkzoo.registry import parse_assignments

    return parse_assignments(assignments or [], "--set")
