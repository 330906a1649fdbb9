"""Latency of one prediction by sampler, same agent otherwise: ResNet-18, three cameras of 96 px, batch 1, CPU.

python benchmarks/head_latency.py             # two minutes of CPU time
python benchmarks/head_latency.py --compile   # the same under torch.compile, beside the eager figures
"""

from __future__ import annotations

import argparse
from typing import Any

from trunkzoo.bench.agent import as_table, bench_agent
from trunkzoo.catalogue.part import Part
from trunkzoo.registry import Zoo, open_zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, resolve

HEAD_SHARE_GATE = 0.35
SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "imf, 1 step": ("imf/imf", {}),
    "flow, 1 step": ("imf/flow", {"sample_steps": 1}),
    "flow, 10 steps": ("imf/flow", {"sample_steps": 10}),
    "ddim, 10 steps": ("imf/ddim", {"sample_steps": 10}),
    "ddim, 100 steps": ("imf/ddim", {"sample_steps": 100}),
}


def with_sampler(zoo: Zoo, recipe: Recipe, name: str) -> ResolvedRecipe:
    """The recipe with another head."""
    head, config = SAMPLERS[name]
    other = recipe.model_copy(update={"name": name, "head": Part(name=head, config=config)})
    return resolve(other, zoo.catalogue)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="imf-resnet18")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="also measure one-step imf under torch.compile")
    arguments = parser.parse_args()
    zoo = open_zoo()
    recipe = zoo.recipe(arguments.recipe).recipe
    recipes = [with_sampler(zoo, recipe, name) for name in SAMPLERS]
    rows = bench_agent(recipes, (1,), rounds=arguments.rounds)
    if arguments.compile:
        compiled = bench_agent(recipes[:1], (1,), rounds=arguments.rounds, compile=True)
        print(f"compiled ÷ eager, one-step imf: {compiled[0].total.median / rows[0].total.median:.2f}")
    columns, cells = as_table(rows)
    for line in (columns, *cells):
        print("  ".join(f"{cell:18}" for cell in line))
    for row in rows[1:]:
        print(f"{row.recipe} ÷ imf, 1 step: {row.total.median / rows[0].total.median:.2f}")
    share = rows[0].head_share or 0.0  # None for exports alone
    print(f"head's share at one evaluation: {share:.0%} (at most {HEAD_SHARE_GATE:.0%})")
    raise SystemExit(0 if share <= HEAD_SHARE_GATE else 1)


if __name__ == "__main__":
    main()
