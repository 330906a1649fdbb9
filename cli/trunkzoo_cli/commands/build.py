"""``zoo build``: assemble an agent, show what it is made of, save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_recipe
from trunkzoo_cli.options import MAX_SEED, JsonOption, SetOption, TrunkOption, recipe_of
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent


def build(
    recipe: Annotated[
        str,
        typer.Argument(help="A recipe of registry.toml; see `zoo list --kind recipe`.", autocompletion=complete_recipe),
    ],
    trunk: TrunkOption = None,
    set_: SetOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Save the untrained agent as a checkpoint here.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the initial weights.")] = 0,
    json: JsonOption = False,
) -> None:
    """Assemble the agent of a recipe and show its parameters, feature map and condition vector.

    Example: zoo build imf-resnet18 --trunk attnres-conv-deep --set trunk.output_stride=32 -o runs/untrained
    """
    from trunkzoo.errors import UsageError

    if out is not None and out.exists():
        raise UsageError(f"{out} exists; give -o a new directory, or remove that one")
    from trunkzoo.agent.assemble import assemble
    from trunkzoo.checkpoint import save_checkpoint
    from trunkzoo.registry import open_zoo
    from trunkzoo.registry.resolved import check_task
    from trunkzoo_cli.commands.show import weights_of

    chosen = recipe_of(recipe, trunk, set_, open_zoo())
    check_task(chosen.recipe, chosen.task)
    agent = assemble(chosen, seed)
    facts = describe(agent)
    weights = weights_of(chosen.trunk)
    if out is not None:
        save_checkpoint(out, agent)
    if json:
        emit_json(facts | {"weights": weights, "checkpoint": str(out) if out else None})
        return
    emit_table(
        ("part", "what", "parameters", "shape"), _rows(facts), title=f"{chosen.recipe.name}: {chosen.recipe.summary}"
    )
    if weights:
        note("weights: " + ", ".join(f"{key} {value}" for key, value in weights.items()))
    if out is not None:
        note(f"saved to {out}; it has seen no data yet: `zoo train {recipe} --data DIR -o RUN` trains one")


def describe(agent: Agent) -> dict[str, Any]:
    """The facts of an agent, JSON-able."""
    from trunkzoo.agent.numbers import count_parameters

    found, recipe = agent.probe, agent.recipe
    return {
        "recipe": recipe.name,
        "trunk": recipe.trunk.name,
        "trunk_parameters": count_parameters(agent.encoder.trunks[0]),
        "trunks": len(agent.encoder.trunks),
        "camera_encoder_parameters": count_parameters(agent.encoder.cameras),
        "head": recipe.head.name,
        "head_parameters": count_parameters(agent.head),
        "parameters": count_parameters(agent),
        "feature_map": found.feature_map,
        "cond_dim": found.cond_dim,
        "sum": recipe.contract.sum_line(),
        "chunk": found.chunk,
        "num_action_steps": recipe.contract.num_action_steps,
    }


def _rows(facts: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    n, each = facts["trunks"], facts["trunk_parameters"]
    channels, height, width = facts["feature_map"]
    steps, actions = facts["chunk"]
    total = f"{n} × {each:,} = {n * each:,}" if n > 1 else f"{each:,}"
    return [
        ("trunk", facts["trunk"], total, f"{channels} × {height} × {width} feature map"),
        ("cameras", "SpatialSoftmax + Linear", f"{facts['camera_encoder_parameters']:,}", f"cond {facts['sum']}"),
        ("head", facts["head"], f"{facts['head_parameters']:,}", f"{steps} × {actions} chunk"),
        ("agent", "", f"{facts['parameters']:,}", f"{facts['num_action_steps']} actions executed"),
    ]
